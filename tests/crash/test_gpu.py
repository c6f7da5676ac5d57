"""The same on a GPU, where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fluvial.bench import fragments
from fluvial.config.file import LoadedConfig, parse_config
from fluvial.train.checkpoint import latest_intact
from fluvial.train.launch import resume, start, trained
from fluvial.train.run import SilentProgress

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")

CONFIGURATION = """
device = "cuda"
[env]
kind = "fragments"
[algo]
backward = "learned"
[condition]
beta = {distribution = "uniform", a = 1, b = 8}
[replay]
start = 20
"""


def test_train_resume_sample_and_move_to_the_cpu(tmp_path: Path) -> None:
    config = parse_config(CONFIGURATION, "run.toml", ["stop.steps=5"])
    run = start(LoadedConfig(config, tmp_path, "run.toml"), SilentProgress(), tmp_path / "run")
    resume(run.path, SilentProgress(), ["stop.steps=7"])
    with trained(run.path) as used:
        assert len(used.sample(10)) == 10
    resume(run.path, SilentProgress(), ["stop.steps=8", "device='cpu'"])
    assert latest_intact(run.checkpoints)[0].step == 8


def test_the_benchmark_runs() -> None:
    assert fragments.run(vocabulary="default", steps=1, warmup=1, device="cuda")["ratio"] > 0
