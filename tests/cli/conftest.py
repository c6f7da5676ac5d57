from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fluvial.cli.main import app

TINY = """\
[env]
kind = "fragments"
max_fragments = 2
[policy]
width = 16
layers = 1
heads = 2
[algo]
batch = 8
[replay]
capacity = 100
start = 8
[stop]
steps = 6
"""
"""Six steps of a second in all."""

Call = Callable[..., Any]


@pytest.fixture(scope="session")
def call() -> Call:
    """Run a command in this process; the result has exit_code, stdout, stderr and output."""

    def call(*arguments: object) -> Any:
        # Wide enough that no usage error is broken into lines.
        return CliRunner(env={"COLUMNS": "300", "TERMINAL_WIDTH": "300"}).invoke(app, [*map(str, arguments)])

    return call


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration file in a folder that is the working directory."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "run.toml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory, call: Call) -> Path:
    """A run of six steps, to be read only."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "run.toml").write_text(TINY)
    result = call("train", folder / "run.toml", "--out", folder / "run", "--quiet")
    assert result.exit_code == 0, result.output
    return folder / "run"


@pytest.fixture
def command() -> Callable[..., subprocess.Popen[str]]:
    """Start a command as a process of its own."""

    def start(*arguments: object) -> subprocess.Popen[str]:
        program = [sys.executable, "-m", "fluvial", *map(str, arguments)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            program, text=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    return start
