from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from fluvial.config.file import LoadedConfig, parse_config
from fluvial.core.errors import ConfigError
from fluvial.queue.store import Store
from fluvial.train.checkpoint import latest_intact
from fluvial.train.launch import resume, start
from fluvial.train.run import Run, SilentProgress
from fluvial.train.run_directory import RunDirectory
from fluvial.train.step import StepResult
from fluvial.train.validation import undisturbed

CONFIGURATION = """
threads = 1
[env]
kind = "fragments"
max_fragments = 2
[policy]
width = 16
layers = 1
heads = 2
dropout = 0.1
[algo]
batch = 4
[condition]
beta = {distribution = "uniform", a = 1, b = 8}
[replay]
start = 4
[stop]
steps = 4
[log]
checkpoint_every = 2
"""
MEASURED = [
    "evaluate.every=2",
    "evaluate.exact_states=0",
    "evaluate.conditions=3",
    "evaluate.repeats=4",
    "evaluate.objects=4",
]


class Counting(SilentProgress):
    """Remembers the metrics of each step, and dies after one where asked to."""

    def __init__(self, fatal_step: int = 0) -> None:
        self.fatal_step = fatal_step
        self.metrics: dict[int, dict[str, float]] = {}

    def on_step(self, run: Run, result: StepResult) -> None:
        self.metrics[run.learner.step] = result.metrics
        if run.learner.step == self.fatal_step:
            raise RuntimeError("crashed")


def begin(folder: Path, overrides: Sequence[str], progress: SilentProgress | None = None) -> RunDirectory:
    config = parse_config(CONFIGURATION, "run.toml", list(overrides))
    return start(LoadedConfig(config, folder.parent, "run.toml"), progress or SilentProgress(), folder)


def digest(run: RunDirectory) -> str:
    with Store.open(run.store) as store:
        return store.digest()


def test_what_is_measured_changes_nothing_that_is_learned(tmp_path: Path) -> None:
    plain, watched = Counting(), Counting()
    one, other = begin(tmp_path / "plain", [], plain), begin(tmp_path / "watched", MEASURED, watched)
    before, after = latest_intact(one.checkpoints)[0], latest_intact(other.checkpoints)[0]
    for name, value in before.weights.items():
        assert torch.equal(value, after.weights[name]), name
    assert torch.equal(before.state["generator"], after.state["generator"])
    assert torch.equal(before.state["torch_generator"], after.state["torch_generator"])
    for step, metrics in watched.metrics.items():
        measured = {name for name in metrics if name.startswith("evaluate/")}
        assert bool(measured) == (step % 2 == 0)
        assert {name: metrics[name] for name in metrics if name not in measured} == plain.metrics[step]
    names = {"reward_mean", "top_10", "unique_share", "elbo", "log_z", "eubo", "spearman", "fcs"}
    assert {f"evaluate/{name}" for name in names - {"top_10"}} <= set(watched.metrics[4])


def test_a_diversity_filter_does_not_notice(tmp_path: Path) -> None:
    """It remembers what it is asked about, so evaluations must not ask it."""
    filtered = [
        'reward.diversity={kind="IdenticalMurckoScaffold", bucket_size=1, least_reward=0.0}',
        "stop.steps=3",
    ]
    one, other = begin(tmp_path / "plain", filtered), begin(tmp_path / "watched", [*filtered, *MEASURED])
    before, after = latest_intact(one.checkpoints)[0], latest_intact(other.checkpoints)[0]
    for name, value in before.weights.items():
        assert torch.equal(value, after.weights[name]), name


def test_a_resumed_run_measures_the_same(tmp_path: Path) -> None:
    whole = begin(tmp_path / "whole", MEASURED)
    with pytest.raises(RuntimeError, match="crashed"):
        begin(tmp_path / "parts", MEASURED, Counting(3))
    parts = resume(tmp_path / "parts", SilentProgress())
    assert digest(parts) == digest(whole)
    with Store.open(parts.store) as store:
        assert [step for step, _ in store.metric_series(["evaluate/elbo"])["evaluate/elbo"]] == [2, 4]


def test_conditions_are_the_same_each_time_with_exact_repeats(tmp_path: Path) -> None:
    class Watching(SilentProgress):
        def __init__(self) -> None:
            self.betas: list[list[float]] = []

        def on_step(self, run: Run, result: StepResult) -> None:
            assert run.validation is not None
            self.betas.append(run.validation.conditions.beta.tolist())
            assert run.validation.n_repeats == 4

    first, again = Watching(), Watching()
    begin(tmp_path / "first", [*MEASURED, "stop.steps=2"], first)
    begin(tmp_path / "again", [*MEASURED, "stop.steps=2"], again)
    assert first.betas == again.betas
    assert first.betas[0] == first.betas[1]
    assert len(set(first.betas[0])) == 3


def test_off_is_off(tmp_path: Path) -> None:
    class Looking(SilentProgress):
        def on_step(self, run: Run, result: StepResult) -> None:
            assert run.validation is None

    begin(tmp_path / "run", ["stop.steps=1"], Looking())


def test_numbers_without_evaluations_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"evaluate\.paths"):
        parse_config(CONFIGURATION, "run.toml", ["evaluate.paths=4"])


def test_shared_generators_are_left_alone() -> None:
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    expected = random.random(), np.random.rand(), torch.rand(1).item()
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    with pytest.raises(KeyboardInterrupt), undisturbed():
        random.random(), np.random.rand(), torch.rand(3)
        raise KeyboardInterrupt
    assert (random.random(), np.random.rand(), torch.rand(1).item()) == expected
