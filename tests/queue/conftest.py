"""One queue of each kind."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from queue_kinds import KINDS, RETRIES, Bench, Clock, has_postgres, sql_queue, wipe

from fluvial.bench.postgres_server import PostgresServer, postgres_server
from fluvial.queue.database import connect
from fluvial.queue.memory_queue import MemoryQueue
from fluvial.queue.protocol import Queue
from fluvial.queue.sql_queue import SqlQueue


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    if not has_postgres():
        pytest.skip("there is no PostgreSQL server on this machine")
    with postgres_server(is_durable=False) as running:
        yield running


@pytest.fixture(params=KINDS)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    clock = Clock()
    kind = request.param
    if kind not in os.environ.get("FLUVIAL_TEST_QUEUE", ",".join(KINDS)).split(","):
        pytest.skip("other kinds were asked for")
    queues: dict[str, Callable[[], Queue]] = {
        "memory": lambda: MemoryQueue(RETRIES, clock),
        "sqlite": lambda: sql_queue(connect(tmp_path / "queue.db", clock, patience_seconds=0.0)),
        "postgres": lambda: sql_queue(
            connect(request.getfixturevalue("server").url, clock, patience_seconds=0.0)
        ),
    }
    queue = queues[kind]()
    if kind == "postgres":
        assert isinstance(queue, SqlQueue)
        wipe(queue.database)
    yield Bench(queue, clock)
    queue.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB of its own; needs the right to mount."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("this user may not mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
