"""Every task end to end from the command line, at its small size."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fluvial.cli.main import app
from fluvial.config.file import load_config
from fluvial.queue.store import Store
from fluvial.tasks.registry import TASKS


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
    call("export", "run", "-o", "all.csv")
    call("report", "run")
    with Store.open(Path("run/store.db")) as store:
        assert store.last_step == steps + 5
        assert store.counts()["failed"] == 0
    for table in ("drawn.csv", "all.csv"):
        with Path(table).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert rows
        assert all(float(row["reward"]) > 0 for row in rows)
    assert Path("run/report.html").stat().st_size > 1000
