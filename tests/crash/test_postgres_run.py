"""Training by command with a PostgreSQL server as the meeting point of run and workers."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from fluvial.bench.postgres_server import binaries, postgres_server
from fluvial.core.errors import ConfigError
from fluvial.queue.opening import open_queue
from fluvial.queue.store import Store

CONFIGURATION = """
threads = 1
[env]
kind = "sequence"
alphabet = ["A", "C", "G", "T"]
max_length = 6
reward = "terms"
[policy]
kind = "mlp"
width = 16
layers = 1
[algo]
batch = 8
[stop]
steps = 20
[queue]
most_waiting = 48
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
    time.sleep(0.03 * len(texts))
    return [1.0 + text.count("A") for text in texts]
"""
LONGEST_SECONDS = 120.0


def fluvial(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "fluvial", *words],
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def ended(process: subprocess.Popen[str]) -> str:
    said = process.communicate(timeout=LONGEST_SECONDS)[0]
    assert process.returncode == 0, said
    return said


@pytest.mark.long
def test_a_run_and_its_workers_meet_at_a_server(tmp_path: Path) -> None:
    try:
        binaries()
    except ConfigError:
        pytest.skip("there is no PostgreSQL server on this machine")
    (tmp_path / "reward.py").write_text(FUNCTION)
    (tmp_path / "run.toml").write_text(CONFIGURATION)
    with postgres_server(is_durable=False) as server, closing(open_queue(server.url)) as queue:
        run = fluvial(tmp_path, "train", "run.toml", "--out", "run", "--quiet", f"queue.place={server.url}")
        deadline = time.monotonic() + LONGEST_SECONDS
        while queue.counts().submitted == 0 and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        by_folder = fluvial(tmp_path, "worker", "run", "--lease", "2", "--idle-exit", "5")
        by_url = fluvial(
            tmp_path, "worker", server.url, "--function", "reward.py:score", "--batch", "4", "--lease", "2"
        )
        while (queue.counts().done < 30 or queue.counts().leased == 0) and time.monotonic() < deadline:
            time.sleep(0.01)
        by_url.kill()
        by_url.communicate()
        ended(run)
        told = json.loads(ended(fluvial(tmp_path, "status", "run", "--json")))
        ended(by_folder)
        counts = queue.counts()
        answers = {answer.text: answer.values for answer in queue.ended(limit=10_000)}
    assert counts.add_up
    assert (counts.dead, counts.failed, counts.ready, counts.leased) == (0, 0, 0, 0)
    assert told["queue"]["counts"]["submitted"] == counts.submitted
    assert not (tmp_path / "run" / "queue.db").exists()
    with Store.open(tmp_path / "run" / "store.db") as store:
        found = store.candidates()
        assert store.last_step == 20
    assert len(found) > 50
    for one in found:
        assert one.reward == 1.0 + one.text.count("A")
        assert answers[one.text] == {"value": one.reward}
