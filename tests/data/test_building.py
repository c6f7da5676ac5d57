from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from fluvial.chem.vocabulary import Vocabulary
from fluvial.core.environment import Found
from fluvial.core.errors import DataError
from fluvial.data.building import RewardRule, build_dataset, read_dataset
from fluvial.data.columns import Columns, Row
from fluvial.data.tally import Reason
from fluvial.envs.fragments.environment import Fragments
from fluvial.envs.hypergrid import Hypergrid
from fluvial.rewards.transforms import make_transform

ENV = Hypergrid(2, 3)


SQUARED = RewardRule(transform=lambda x: x * abs(x))


def rows(*given: tuple[str, float | None]) -> list[Row]:
    return [Row(f"line {number}", text, reward) for number, (text, reward) in enumerate(given, 1)]


def test_the_same_object_counts_once_with_its_first_known_reward() -> None:
    blocks = [rows(("0,1", None), ("1,1", 2.0)), rows((" 0 , 1", 3.0), ("1,1", 9.0), ("0,1", 7.0))]
    dataset, report = build_dataset(ENV, blocks, RewardRule())
    assert dataset.reward.tolist() == [3.0, 2.0]
    assert (report.n_rows, report.n_duplicates, report.n_objects, report.n_without_reward) == (5, 3, 2, 0)
    assert "3 rows of objects that were there already" in report.lines()


def test_rewards_are_transformed_and_floored() -> None:
    rule = RewardRule(transform=make_transform("linear", low=0.0, high=10.0), floor=0.01)
    dataset, report = build_dataset(ENV, [rows(("0,0", 5.0), ("0,1", -3.0), ("0,2", None))], rule)
    assert dataset.reward[:2].tolist() == [0.5, 0.01]
    assert math.isnan(dataset.reward[2])
    assert report.n_without_reward == 1


def test_rewards_that_have_no_logarithm_are_left_out() -> None:
    dataset, report = build_dataset(ENV, [rows(("0,0", 1.0), ("0,1", 0.0), ("0,2", -2.5))], SQUARED)
    assert len(dataset) == 1
    assert report.reasons == (
        Reason("with a reward that is not above 0", 2, ("line 2: 0,1 0", "line 3: 0,2 -2.5")),
    )
    assert report.lines()[:2] == [
        "1 objects out of 3 rows, 0 without a reward",
        "2 rows left out: 2 with a reward that is not above 0 (such as line 2: 0,1 0; line 3: 0,2 -2.5)",
    ]


def test_numbers_that_the_transform_refuses_are_left_out() -> None:
    dataset, report = build_dataset(ENV, [rows(("0,0", 1.0), ("0,1", -2.0))], RewardRule())
    assert len(dataset) == 1
    assert report.reasons[0].what == "with a number that the transform refuses"
    assert report.reasons[0].examples[0].startswith("line 2: 0,1 -2, the value -2 is negative")


def test_nothing_of_use() -> None:
    with pytest.raises(DataError, match=r"no row makes an object .* 2 of 2 texts cannot be made in this env"):
        build_dataset(ENV, [rows(("9,9", 1.0), ("9,8", None))], RewardRule())
    with pytest.raises(DataError, match="1 with a reward that is not above 0"):
        build_dataset(ENV, [rows(("0,1", 0.0))], RewardRule())
    with pytest.raises(DataError, match="there are no rows"):
        build_dataset(ENV, [], RewardRule())


def test_a_file_of_molecules(tmp_path: Path, three_fragments: Vocabulary) -> None:
    path = tmp_path / "assay.csv"
    lines = [
        "smiles,pIC50,tox",
        "CCF,6,0.5",
        "FCC,,",
        "FCCF,7,x",
        "c1ccccc1CC,8,1",
        "CCO,9,1",
        "?,1,1",
        "CC,,2",
    ]
    path.write_text("\n".join([*lines, "C(C)F,many,1", ",5,1"]))
    env = Fragments(three_fragments, 3)
    rule = RewardRule(terms=("tox",))
    dataset, report = read_dataset(env, path, Columns(reward="pIC50"), rule, seed=1)
    texts = env.decode(dataset.objects(env, torch.arange(len(dataset))))
    assert texts == ["CCF", "FCCF", "CCc1ccccc1", "CC"]
    assert dataset.reward[:3].tolist() == [6.0, 7.0, 8.0]
    assert dataset.values[:, 0].nan_to_num(-1.0).tolist() == [0.5, -1.0, 1.0, 2.0]
    assert (report.n_rows, report.n_objects, report.n_duplicates, report.n_without_reward) == (9, 4, 1, 1)
    assert [(reason.what, reason.count) for reason in report.reasons] == [
        ("with no finite number in column 'pIC50'", 1),
        ("without an object in column 'smiles'", 1),
    ]
    assert (report.encoding.counts[Found.NONE], report.encoding.counts[Found.INVALID]) == (1, 1)
    again, _ = read_dataset(env, path, Columns(reward="pIC50"), rule, seed=1)
    assert torch.equal(again.actions, dataset.actions)


def test_a_file_of_other_objects(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text('point,worth\n"0,2",2\n"1,1",3\n')
    dataset, _ = read_dataset(ENV, path, Columns("point", "worth"))
    assert dataset.reward.tolist() == [2.0, 3.0]


def test_errors_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("smiles\n9;9\n")
    with pytest.raises(
        DataError, match=r"a\.csv: no row makes an object .*cannot be read as objects, such as 9;9"
    ):
        read_dataset(ENV, path)
    path.write_text("smiles,a\n1;1,2\n")
    with pytest.raises(DataError, match="there is no column 'b'"):
        read_dataset(ENV, path, rule=RewardRule(terms=("b",)))
