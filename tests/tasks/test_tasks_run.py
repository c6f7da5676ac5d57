"""Every task end to end from the command line, at its small size: train, resume, sample, evaluate, export."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fluvial.cli.main import app
from fluvial.config.file import load_config
from fluvial.queue.store import Store
from fluvial.tasks.registry import TASKS

MOST_FAILED = {"qm9": 0.2, "qm9_moo": 0.2}
"""Share of objects without a reward: some molecules of atoms have no conformer."""
FEW = ("-n", 40, "--objects", 6, "--paths", 3, "--conditions", 2, "--repeats", 4, "--exact-states", 5000)


def call(*arguments: object) -> str:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*map(str, arguments)])
    assert result.exit_code == 0, result.output
    return str(result.stdout)


@pytest.mark.long
@pytest.mark.parametrize("name", TASKS)
def test_a_task_runs_from_training_to_the_last_table(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if TASKS[name].assets and "FLUVIAL_ASSETS" not in os.environ:
        pytest.skip("needs the public files in the folder named by FLUVIAL_ASSETS")
    monkeypatch.chdir(tmp_path)
    call("train", "--task", name, "--small", "--out", "run", "--quiet")
    steps = load_config("run/config.toml").config.stop.steps
    call("resume", "run", "--steps", steps + 5, "--quiet")
    call("sample", "run", "-n", 50, "--seed", 1, "-o", "drawn.csv")
    call("evaluate", "run", *FEW, "--seed", 1)
    call("export", "run", "-o", "all.csv", "--status", "ok")
    call("report", "run")
    with Store.open(Path("run/store.db")) as store:
        assert store.last_step == steps + 5
        counts = store.counts()
        assert counts["failed"] <= MOST_FAILED.get(name, 0.0) * counts["objects"]
    for table in ("drawn.csv", "all.csv"):
        with Path(table).open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["status"] == "ok"]
        assert rows
        assert all(float(row["reward"]) > 0 for row in rows)
    assert json.loads(Path("run/evaluation.json").read_text())
    assert Path("run/report.html").stat().st_size > 1000


@pytest.mark.long
@pytest.mark.skipif("FLUVIAL_ASSETS" not in os.environ, reason="needs the public files")
def test_a_trade_off_can_be_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    call("train", "--task", "seh_moo", "--small", "--steps", 3, "--out", "run", "--quiet")
    call("sample", "run", "-n", 4, "--prefer", "seh=0.7,sa=0.3", "-o", "drawn.csv")
    with Path("drawn.csv").open(newline="", encoding="utf-8") as file:
        (row, *_) = csv.DictReader(file)
    assert float(row["asked weight seh"]) == pytest.approx(0.7)
