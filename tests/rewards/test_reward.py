from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from rdkit.Chem import Mol

from fluvial.core.errors import ConfigError, RewardError
from fluvial.core.reward_batch import Outcome
from fluvial.rewards.calls import Failure
from fluvial.rewards.filters import Filter, alert_filter, range_filter
from fluvial.rewards.reward import Reward
from fluvial.rewards.terms import Term, function_term, property_term
from fluvial.rewards.transforms import identity, make_transform

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
CAFFEINE = "Cn1c(=O)c2c(ncn2C)n(C)c1=O"


def test_outcomes_of_a_mixed_batch() -> None:
    seen: list[str] = []

    def costly(smiles: list[str]) -> list[float | None]:
        seen.extend(smiles)
        return [None if text == "NC(=O)c1ccccc1" else 0.5 for text in smiles]

    reward = Reward(
        [property_term("qed"), function_term(costly)],
        filters=[range_filter("mw", 100, 600), alert_filter(["BRENK"])],
        properties=["MW"],
    )
    batch = reward([CAFFEINE, "C", "C1CC", ASPIRIN, "NC(=O)c1ccccc1", CAFFEINE])

    assert seen == [CAFFEINE, "NC(=O)c1ccccc1"]
    value = 0.5384629 * 0.5
    assert_allclose(batch.reward, [value, 1e-4, math.nan, 1e-4, math.nan, value], rtol=1e-6)
    expected = [
        Outcome.VALUE,
        Outcome.FILTERED,
        Outcome.INVALID,
        Outcome.FILTERED,
        Outcome.FAILED,
        Outcome.VALUE,
    ]
    assert_array_equal(batch.outcome, expected)
    assert batch.outcome.dtype == np.int8
    assert batch.info[:2] == ["", "mw 16.04 is below 100"]
    assert "C1CC" in batch.info[2]
    assert batch.info[3:] == ["alert BRENK: phenol_ester", "term 'costly': returned None, not a number", ""]
    assert_allclose(batch.values[:, 1], [0.5, math.nan, math.nan, math.nan, math.nan, 0.5])
    assert np.isfinite(batch.values[4, 0])
    assert_allclose(batch.raw["costly"], batch.values[:, 1])
    assert_allclose(batch.raw["mw"], [194.194, 16.043, math.nan, 180.159, 121.139, 194.194], atol=1e-3)
    assert (reward.term_names, reward.property_names) == (("qed", "costly"), ("qed", "costly", "mw"))


def test_functions_see_unique_canonical_smiles() -> None:
    seen: list[str] = []

    def score(smiles: list[str]) -> list[float]:
        seen.extend(smiles)
        return [1.0] * len(smiles)

    assert_array_equal(Reward([function_term(score)])(["OCC", "OCC", "C(C)N"]).reward, [1.0, 1.0, 1.0])
    assert seen == ["CCO", "CCN"]


def test_empty_batch() -> None:
    batch = Reward([property_term("qed"), property_term("sa")])([])
    assert len(batch) == 0
    assert batch.reward.shape == (0,)
    assert batch.values.shape == (0, 2)
    assert batch.raw["qed"].shape == (0,)


def test_floor_is_the_smallest_reward() -> None:
    reward = Reward([function_term(lambda smiles: [0.0, 0.02, 0.7])], floor=0.05)
    batch = reward(["C", "CC", "CCC"])
    assert_allclose(batch.reward, [0.05, 0.05, 0.7])
    assert_allclose(batch.values[:, 0], [0.0, 0.02, 0.7])


@pytest.mark.parametrize(
    ("combine", "expected"),
    [("product", 0.5**2 * 0.2), ("geometric_mean", 0.05 ** (1 / 3)), ("Arithmetic-Mean", 0.4)],
)
def test_ways_to_combine(combine: str, expected: float) -> None:
    terms = [
        function_term(lambda smiles: [0.5], label="a", weight=2.0),
        function_term(lambda smiles: [0.2], label="b"),
    ]
    assert Reward(terms, combine=combine)(["C"]).reward[0] == pytest.approx(expected)


def test_raw_values_are_kept_beside_transformed_ones() -> None:
    transform = make_transform("reverse_sigmoid", low=-11, high=-6, k=0.5)
    batch = Reward([function_term(lambda smiles: [-8.5], label="dock", transform=transform)])(["C"])
    assert (batch.raw["dock"][0], batch.values[0, 0], batch.reward[0]) == (-8.5, 0.5, 0.5)


def test_several_terms_of_one_function_share_its_call() -> None:
    calls: list[int] = []

    def score(mols: list[Mol]) -> dict[str, list[float | None]]:
        calls.append(len(mols))
        return {"a": [0.5, 0.5], "b": [0.25, None], "c": [9.0, -9.0]}

    reward = Reward([function_term(score, label="a"), function_term(score, label="second", output="b")])
    batch = reward(["C", "CC"])
    assert calls == [2]
    assert_allclose(batch.reward, [0.125, math.nan])
    assert batch.info[1] == "term 'second': returned None, not a number"
    assert reward.property_names == ("a", "second", "b", "c")
    assert_allclose(batch.raw["c"], [9.0, -9.0])


def test_columns_stay_once_they_were_met() -> None:
    answers = [{"a": [1.0], "extra": [3.0]}, {"a": [1.0]}]
    reward = Reward([function_term(lambda smiles: answers.pop(0), label="a")])
    assert reward.property_names == ("a",)
    assert list(reward(["C"]).raw) == ["a", "extra"]
    second = reward(["C"])
    assert list(second.raw) == ["a", "extra"]
    assert math.isnan(second.raw["extra"][0])


def test_all_failing_terms_are_named_and_passing_ones_told_apart() -> None:
    def late(smiles: list[str]) -> list[float]:
        raise TimeoutError("no pose yet")

    terms = [function_term(late, label="x"), function_term(lambda smiles: [-1.0], label="y")]
    both = Reward(terms)(["C"])
    assert both.outcome[0] == Outcome.FAILED
    assert both.info[0].startswith("term 'x': TimeoutError: no pose yet (test_reward.py line ")
    assert "; term 'y': the value -1 is negative" in both.info[0]
    assert Reward(terms[:1])(["C"]).outcome[0] == Outcome.FAILED_FOR_NOW


def test_infinite_combination_fails() -> None:
    terms = [function_term(lambda smiles: [1e300, 1.0], label=name) for name in "ab"]
    zero = function_term(lambda smiles: [0.0, 1.0], label="c")
    for chosen in (terms, [*terms, zero]):
        batch = Reward(chosen)(["C", "CC"])
        assert_array_equal(batch.reward, [math.nan, 1.0])
        assert_array_equal(batch.outcome, [Outcome.FAILED, Outcome.VALUE])
        assert batch.info[0] == "the terms combine to infinity"


def test_failing_filter_fails_the_molecule() -> None:
    def broken(mol: Mol) -> str | None:
        raise RuntimeError("no table")

    batch = Reward([property_term("qed")], filters=[Filter("table", broken)])(["C"])
    assert batch.outcome[0] == Outcome.FAILED
    assert batch.info[0] == "filter 'table': RuntimeError: no table"
    assert math.isnan(batch.reward[0])


def test_own_measure() -> None:
    term = Term(
        "mine", "own", "own", lambda smiles, mols: [Failure("gone", may_pass=True)] * len(mols), identity
    )
    assert Reward([term])(["C"]).outcome[0] == Outcome.FAILED_FOR_NOW


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"terms": []}, "at least one term"),
        ({"terms": [property_term("qed"), property_term("qed")]}, "two reward terms are called 'qed'"),
        ({"floor": 0.0}, "floor = 0 must be greater than 0"),
        ({"floor": math.nan}, "floor = nan must be greater than 0"),
        ({"combine": "sum"}, "unknown way to combine 'sum'"),
        ({"properties": ["weight"]}, "unknown property 'weight'"),
        ({"workers": -1}, "workers = -1 must be at least 0"),
        ({"timeout_seconds": 5.0}, "set workers to at least 1"),
        ({"timeout_seconds": 0.0, "workers": 1}, "time-out = 0 s must be greater than 0"),
        ({"terms": [property_term("qed", weight=0)], "combine": "geometric_mean"}, "at least one weight"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Reward(**({"terms": [property_term("qed")]} | arguments))  # type: ignore[arg-type]


def test_files_are_loaded_at_construction() -> None:
    with pytest.raises(RewardError, match="no such file"):
        Reward([function_term("missing.py:score")])
