"""FCS, which is estimated from some objects, ranks checkpoints as the exact total variation does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fluvial.assets.registry import fetch
from fluvial.config.file import LoadedConfig, parse_config
from fluvial.core.errors import AssetError
from fluvial.metrics.agreement import spearman
from fluvial.train.launch import start
from fluvial.train.run import Run, SilentProgress
from fluvial.train.step import StepResult

TFBIND8 = """
threads = 1
[env]
kind = "sequence"
alphabet = ["A", "C", "G", "T"]
max_length = 8
min_length = 8
reward = "binding"
[policy]
kind = "mlp"
width = 128
[algo]
batch = 32
[stop]
steps = 750
[log]
checkpoint_every = 750
[evaluate]
every = 50
objects = 2048
paths = 2
exact_states = 200000
"""


class Measured(SilentProgress):
    def __init__(self) -> None:
        self.pairs: list[tuple[float, float]] = []

    def on_step(self, run: Run, result: StepResult) -> None:
        if "evaluate/fcs" in result.metrics:
            metrics = result.metrics
            self.pairs.append((metrics["evaluate/total_variation"], metrics["evaluate/fcs"]))


@pytest.mark.long
def test_fcs_follows_the_total_variation_on_tfbind8(tmp_path: Path) -> None:
    try:
        fetch("tfbind8")
    except AssetError as error:
        pytest.skip(str(error))
    progress = Measured()
    start(LoadedConfig(parse_config(TFBIND8), tmp_path, "run.toml"), progress, tmp_path / "run")
    variation, consistency = torch.tensor(progress.pairs).unbind(1)
    assert len(variation) == 15
    assert variation.max() > 1.5 * variation.min()
    assert spearman(variation, consistency) > 0.9
