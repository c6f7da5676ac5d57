from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

FAKE = """
import json, os

class Image:
    def __init__(self, array):
        self.shape = list(array.shape)

class api:
    api_key = None

class Run:
    def say(self, **what):
        with open(os.environ["FAKE_LOG"], "a") as file:
            file.write(json.dumps(what, default=lambda image: image.shape) + "\\n")
    def define_metric(self, *names, **options):
        pass
    def log(self, values):
        self.say(log=values)
    def finish(self):
        self.say(finish=True)

def init(**settings):
    if settings["mode"] == "online":
        raise ConnectionError("no network")
    run = Run()
    run.say(init=settings)
    return run
"""


@pytest.fixture
def sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file where a package that stands for wandb writes what it is told."""
    place = tmp_path / "packages"
    place.mkdir()
    (place / "wandb.py").write_text(FAKE)
    monkeypatch.syspath_prepend(place)
    monkeypatch.setenv("PYTHONPATH", f"{place}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "sent.jsonl"))
    monkeypatch.delenv("WANDB_MODE", raising=False)
    return tmp_path / "sent.jsonl"


def all_sent(path: Path) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        lines = path.read_text().splitlines() if path.exists() else []
        if lines and "finish" in lines[-1]:
            return [json.loads(line) for line in lines]
        time.sleep(0.1)
    raise AssertionError(f"nothing was finished: {path.parent}")


def test_metrics_and_molecules_are_sent(call, tiny: Path, sent: Path, monkeypatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "online")
    result = call("train", tiny, "--out", "here", "log.wandb=true", "log.every=3", "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    told = all_sent(sent)
    settings = told[0]["init"]
    assert (settings["mode"], settings["project"], settings["name"]) == ("offline", "fluvial", "here")
    assert settings["config"]["env"]["kind"] == "fragments"
    steps = [entry["log"] for entry in told if "loss" in entry.get("log", {})]
    assert [entry["step"] for entry in steps] == [1, 3, 6]
    (picture,) = [entry["log"] for entry in told if "molecules/best" in entry.get("log", {})]
    height, width, colours = picture["molecules/best"]
    assert height > 100
    assert (width, colours) == (960, 3)
    assert "kept offline: no network" in Path("here/wandb/sender.txt").read_text()


def test_a_broken_package_costs_the_run_nothing(call, tiny: Path, sent: Path) -> None:
    (sent.parent / "packages" / "wandb.py").write_text("raise RuntimeError('broken')")
    assert call("train", tiny, "--out", "here", "log.wandb=true", "--quiet").exit_code == 0
    assert Path("here/candidates.csv").exists()


def test_a_service_that_does_not_answer_is_not_waited_for(call, tiny: Path, sent: Path) -> None:
    answer = sent.parent / "answer"
    waiting = f"import time\n    while not os.path.exists({str(answer)!r}): time.sleep(0.1)\n    if False:"
    (sent.parent / "packages" / "wandb.py").write_text(
        FAKE.replace('if settings["mode"] == "online":', waiting)
    )
    assert call("train", tiny, "--out", "here", "log.wandb=true", "--quiet").exit_code == 0
    assert not sent.exists()
    answer.touch()
    assert "init" in all_sent(sent)[0]


def test_without_the_package_nothing_is_written(call, tiny: Path, monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = call("train", tiny, "--out", "here", "log.wandb=true")
    assert result.exit_code == 2
    assert "pip install 'fluvial[wandb]'" in result.stderr
    assert not Path("here").exists()
