from __future__ import annotations

from pathlib import Path

import pytest

from fluvial.config.file import load_config
from fluvial.tasks.registry import TASKS


def test_the_tasks_are_listed_and_shown(call) -> None:
    listed = call("task", "list")
    assert listed.exit_code == 0
    for name, task in TASKS.items():
        assert f"{name} " in listed.stdout
        assert task.summary in listed.stdout
    shown = call("task", "show", "small_graphs")
    assert TASKS["small_graphs"].toml in shown.stdout
    assert "env.max_nodes=4" in shown.stdout


def test_a_task_starts_a_folder(call, tmp_path: Path) -> None:
    assert call("init", tmp_path / "mine", "--task", "toy_sequence").exit_code == 0
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["run.toml"]
    assert load_config(tmp_path / "mine" / "run.toml").config.name == "toy_sequence"


def test_the_given_molecules_of_a_task_come_with_it(call, tmp_path: Path) -> None:
    assert call("init", tmp_path / "mine", "--task", "qm9").exit_code == 0
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {"run.toml", "small_molecules.smi"}
    assert load_config(tmp_path / "mine" / "run.toml").config.data.file == "small_molecules.smi"


def test_a_task_trains_with_overrides(call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ("--task", "toy_sequence", "--small", "--steps", 2, "algo.batch=4", "seed=3", "--quiet")
    assert call("train", *arguments).exit_code == 0
    config = load_config(tmp_path / "runs" / "toy_sequence" / "config.toml").config
    assert (config.stop.steps, config.algo.batch, config.seed, config.env.max_length) == (2, 4, 3, 6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name a file, or a task"),
        (["run.toml", "--small"], "name a file, or a task"),
        (["run.toml", "--task", "small_graphs"], "run.toml and --task small_graphs are two runs"),
        (["--task", "toy_sequense"], "did you mean 'toy_sequence'"),
        (["--task", "small_graphs", "algo.batc=3"], "did you mean 'batch'"),
    ],
)
def test_what_means_no_run_is_refused(
    call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call("train", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert list(tmp_path.iterdir()) == []
