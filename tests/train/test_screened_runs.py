"""A surrogate decides which molecules are asked about, the same after a resume."""

from __future__ import annotations

from pathlib import Path

import pytest

from fluvial.config.file import LoadedConfig, parse_config
from fluvial.core.errors import ConfigError
from fluvial.queue.store import Store
from fluvial.train.launch import resume, start, trained
from fluvial.train.run import Run, SilentProgress
from fluvial.train.run_directory import RunDirectory
from fluvial.train.step import StepResult

CONFIGURATION = """
threads = 1
[env]
kind = "fragments"
max_fragments = 4
[policy]
kind = "uniform"
[algo]
batch = 16
[screen]
share = 0.25
start = 40
explore = 0.0
trees = 10
[log]
checkpoint_every = 4
[stop]
steps = 7
"""


class Watcher(SilentProgress):
    """Notes what became of each step's objects, and may die."""

    def __init__(self, dies_at: int | None = None) -> None:
        self.dies_at = dies_at
        self.statuses: list[list[str]] = []

    def on_step(self, run: Run, result: StepResult) -> None:
        self.statuses.append([item.status for item in result.objects])
        if run.learner.step == self.dies_at:
            raise RuntimeError("crashed")


def begin(folder: Path, watcher: Watcher, *overrides: str) -> RunDirectory:
    config = parse_config(CONFIGURATION, "run.toml", overrides)
    return start(LoadedConfig(config, folder.parent, "run.toml"), watcher, folder)


def digest(run: RunDirectory) -> str:
    with Store.open(run.store) as store:
        return store.digest()


def test_fewer_are_asked_about_once_enough_is_known(tmp_path: Path) -> None:
    watcher = Watcher()
    run = begin(tmp_path / "run", watcher)
    asked = [sum(status != "unanswered" for status in step) for step in watcher.statuses]
    assert asked[:3] == [16, 16, 16]
    assert all(4 <= count <= 8 for count in asked[3:])
    with pytest.raises(RuntimeError, match="crashed"):
        begin(tmp_path / "stopped", Watcher(dies_at=6))
    assert digest(resume(tmp_path / "stopped", Watcher())) == digest(run)
    with trained(tmp_path / "run") as usable:
        assert all(item.reward is not None for item in usable.sample(20))


def test_it_is_refused_where_it_would_do_nothing() -> None:
    with pytest.raises(ConfigError, match=r"screen\.trees.*must be left out unless screen\.share is below 1"):
        parse_config(CONFIGURATION, "run.toml", ["screen.share=1", "screen.start=300", "screen.explore=0.05"])
    with pytest.raises(ConfigError, match=r"screen\.share.*unless objects are molecules"):
        parse_config("[env]\nkind = 'hypergrid'\n[screen]\nshare = 0.5\n", "run.toml")
