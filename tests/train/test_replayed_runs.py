"""A run learns the same whether replay is kept in memory or on the disk, also after it was stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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

CONFIGURATION = """
threads = 1
[env]
kind = "hypergrid"
side = 8
[policy]
width = 16
layers = 1
[algo]
batch = 8
[replay]
start = 20
capacity = {capacity}
priority = "newest"
paths = "stored"
where = "{where}"
[log]
checkpoint_every = 7
"""


class Crash(SilentProgress):
    """Dies between two checkpoints."""

    def on_step(self, run: Run, result: StepResult) -> None:
        if run.learner.step == 11:
            raise RuntimeError("crashed")


def begin(folder: Path, where: str, capacity: int, progress: SilentProgress) -> RunDirectory:
    config = parse_config(CONFIGURATION.format(where=where, capacity=capacity), "run.toml", ["stop.steps=18"])
    return start(LoadedConfig(config, folder.parent, "run.toml"), progress, folder)


def left_behind(run: RunDirectory) -> tuple[Any, str]:
    checkpoint, warnings = latest_intact(run.checkpoints)
    assert warnings == []
    with Store.open(run.store) as store:
        return checkpoint, store.digest()


@pytest.mark.parametrize("capacity", [20, 1000])
def test_the_disk_changes_nothing(tmp_path: Path, capacity: int) -> None:
    in_memory = left_behind(begin(tmp_path / "memory", "memory", capacity, SilentProgress()))
    whole = left_behind(begin(tmp_path / "whole", "disk", capacity, SilentProgress()))
    with pytest.raises(RuntimeError, match="crashed"):
        begin(tmp_path / "stopped", "disk", capacity, Crash())
    resumed = left_behind(resume(tmp_path / "stopped", SilentProgress()))
    for checkpoint, digest in (whole, resumed):
        assert digest == in_memory[1]
        assert all(torch.equal(checkpoint.weights[name], one) for name, one in in_memory[0].weights.items())
        assert checkpoint.state["replay"]["offered"] == in_memory[0].state["replay"]["offered"]
        assert checkpoint.state["replay"]["rows"] == in_memory[0].state["replay"]["added"]


def test_a_configuration_that_would_sort_millions_is_refused() -> None:
    for key, value in (("priority", "top"), ("priority", "loss"), ("keep", "best")):
        with pytest.raises(ConfigError, match=rf"replay\.{key}.*for where = 'disk'"):
            parse_config(
                "[env]\nkind = 'hypergrid'\n[replay]\nwhere = 'disk'\npriority = 'uniform'\n",
                "run.toml",
                [f"replay.{key}={json.dumps(value)}"],
            )
