"""Given objects in training: where their rewards come from, and that they count."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fluvial.config.file import parse_config
from fluvial.config.run_config import RunConfig
from fluvial.core.errors import ConfigError, DataError
from fluvial.core.types import Origin
from fluvial.train.build import PUBLIC_TABLES, Pieces, built
from fluvial.train.gather import Ledger, given
from fluvial.train.learner import Learner, LearningSettings, Problem
from fluvial.train.rules import build_conditions, build_learner, build_settings
from fluvial.train.scoring import scored_objects
from fluvial.train.step import train_step

HEAD = """
threads = 1
[env]
kind = "hypergrid"
side = 4
[policy]
kind = "mlp"
width = 16
layers = 1
[algo]
batch = 8
[data]
file = "points.csv"
column = "point"
per_step = 6
"""


def pieces_of(config: RunConfig, pieces: Pieces) -> tuple[Problem, Learner, LearningSettings]:
    torch.manual_seed(0)
    problem = Problem(
        pieces.env,
        lambda texts: scored_objects(pieces.reward, texts),
        build_conditions(config),
        data=pieces.data,
    )
    learner = build_learner(config, pieces.env, pieces.algorithm, pieces.device)
    return problem, learner, build_settings(config, pieces.algorithm)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "points.csv").write_text('point,worth\n"3,3",2.5\n"0,1",\n"1,2",9\n"9,9",1\n')
    return tmp_path


def test_rewards_come_from_the_table_or_are_asked_for(folder: Path) -> None:
    config = parse_config(HEAD, "run.toml", ["data.reward=worth", "data.per_step=64"])
    with built(config, folder) as pieces:
        problem, learner, settings = pieces_of(config, pieces)
        ledger = Ledger(problem.score)
        parts = given(problem, learner, settings, ledger)
        found = {}
        for part in parts:
            assert (part.origin == Origin.DATA).all()
            texts = problem.env.decode(part.final_states)
            found |= dict(zip(texts, part.log_reward.exp().tolist(), strict=True))
        own = {item.text: item.reward for item in problem.score(["0,1"])}
    # The point that no number was given for is the only one that was asked about.
    assert list(ledger.known) == ["0,1"]
    assert found == pytest.approx({"3,3": 2.5, "1,2": 9.0, "0,1": own["0,1"]})
    assert any("1 of 4 texts" in line for line in pieces.data_report)


def test_a_policy_learns_from_given_objects_alone(folder: Path) -> None:
    """Maximum likelihood of what is given, with no weight on what the policy makes."""
    chosen = [
        "data.reward=worth",
        "replay.fraction=0",
        "algo.source_weights={policy=0,data=0.0001}",
        "algo.likelihood_weight=10000",
        "optimizer.lr=0.01",
        "algo.epsilon=0",
    ]
    config = parse_config(HEAD, "run.toml", chosen)
    with built(config, folder) as pieces:
        problem, learner, settings = pieces_of(config, pieces)
        for _ in range(150):
            train_step(problem, learner, settings)
        texts = [item.text for _ in range(20) for item in train_step(problem, learner, settings).objects]
    is_given = [text in {"3,3", "0,1", "1,2"} for text in texts]
    assert sum(is_given) > 0.9 * len(texts)  # the untrained policy: three of sixteen points


def test_steps_without_and_with_data_are_reproducible(folder: Path) -> None:
    config = parse_config(HEAD, "run.toml", ["data.reward=worth", "algo.repeats=2"])
    losses = []
    for _ in range(2):
        with built(config, folder) as pieces:
            problem, learner, settings = pieces_of(config, pieces)
            losses.append([train_step(problem, learner, settings).metrics["loss"] for _ in range(5)])
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            ["algo.objective=reinforce", "algo.epsilon=0", "replay.fraction=0"],
            "data = {...}: must be left out for algo.objective",
        ),
        (["algo.repeats=4", "algo.batch=8"], "data.per_step = 6: must be a multiple of algo.repeats = 4"),
        (["data.floor=0"], "data.floor = 0: must be more than 0"),
    ],
)
def test_data_that_do_not_fit_are_refused(overrides: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(HEAD, "run.toml", overrides)
    assert sentence in str(caught.value)


def test_a_public_table_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PUBLIC_TABLES, "qm9", lambda: folder / "points.csv")
    with built(parse_config(HEAD, "r.toml", ["data.file=qm9"]), folder / "elsewhere") as pieces:
        assert pieces.data is not None


def test_a_file_that_holds_nothing_of_use_is_refused(folder: Path) -> None:
    (folder / "points.csv").write_text('point\n"9,9"\n')
    with (
        pytest.raises(DataError, match="no row makes an object"),
        built(parse_config(HEAD, "r.toml"), folder),
    ):
        pass
