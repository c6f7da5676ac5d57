"""A run behind a queue is killed again and again with its workers; nothing that was asked is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from fluvial.core.errors import StorageError
from fluvial.queue.opening import open_queue
from fluvial.queue.store import Store
from fluvial.train.checkpoint import latest_intact
from fluvial.train.run_directory import RunDirectory

CONFIGURATION = """
threads = 1
[env]
kind = "sequence"
alphabet = ["A", "C", "G", "T"]
max_length = 8
reward = "terms"
[policy]
kind = "mlp"
width = 16
layers = 1
[algo]
batch = 8
[stop]
steps = 60
[log]
checkpoint_every = 20
[queue]
most_waiting = 48
workers = 2
batch = 4
lease_seconds = 2.0
[[reward.term]]
kind = "function"
function = "reward.py:score"
queued = true
"""
FUNCTION = """
import time

def score(texts: list[str]):
    time.sleep(0.02)
    return [1.0 + text.count("A") for text in texts]
"""
KILLS = 3


def alive(pattern: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if pattern.encode() in words:
            found.append(folder.name)
    return found


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_kills_of_training_and_workers_lose_nothing(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(CONFIGURATION)
    (tmp_path / "reward.py").write_text(FUNCTION)
    folder, luck = tmp_path / "run", random.Random(0)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    commands = [["train", "run.toml", "--out", "run", "--quiet"], *[["resume", "run", "--quiet"]] * 20]
    kills = 0
    for words in commands:
        process = subprocess.Popen([sys.executable, "-m", "fluvial", *words], cwd=tmp_path, env=environment)
        deadline = time.monotonic() + 120.0
        while kills < KILLS and process.poll() is None and time.monotonic() < deadline:
            with open_run(folder) as store:
                if store is not None and store.last_step >= 5 + 10 * kills:
                    time.sleep(luck.random())
                    process.send_signal(signal.SIGKILL)
                    kills += 1
                    break
            time.sleep(0.1)
        code = process.wait(timeout=240.0)
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert code == 0
    assert kills == KILLS
    time.sleep(2.0)
    assert alive(str(folder.resolve())) == [], "workers end with their run"
    with closing(open_queue(folder)) as queue:
        counts = queue.counts()
        answered = {answer.text for answer in queue.ended(limit=10**6)}
    assert counts.add_up
    assert counts.dead == counts.failed == 0
    waiting = set(latest_intact(RunDirectory(folder).checkpoints)[0].state["waiting"]["texts"])
    with Store.open(folder / "store.db") as store:
        found = {one.text: one.reward for one in store.candidates()}
        assert store.last_step == 60
    assert all(reward == 1.0 + text.count("A") for text, reward in found.items())
    assert answered <= {*found, *waiting}, "what was paid for is learned from, or will be"


@contextmanager
def open_run(folder: Path) -> Iterator[Store | None]:
    """The store of a run; None while there is none that is whole."""
    try:
        store = Store.open(folder / "store.db")
    except StorageError:
        yield None
        return
    with store:
        yield store
