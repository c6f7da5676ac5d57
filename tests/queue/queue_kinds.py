"""Queues of each kind, with a clock that a test moves by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import text

from fluvial.bench.postgres_server import binaries
from fluvial.core.errors import ConfigError
from fluvial.queue.database import Database
from fluvial.queue.job_schema import metadata
from fluvial.queue.jobs import Oracle, Retries
from fluvial.queue.opening import prepare
from fluvial.queue.protocol import Queue
from fluvial.queue.sql_queue import SqlQueue
from fluvial.queue.sqlite_file import open_engine

KINDS = ("memory", "sqlite", "postgres")
RETRIES = Retries(max_attempts=3, backoff_seconds=1.0, most_backoff_seconds=100.0)
ORACLE = Oracle("docking", {"target": "7ABC"})
BEGINNING = 1_000_000.0


@dataclass
class Clock:
    time: float = BEGINNING

    def __call__(self) -> float:
        return self.time


@dataclass
class Bench:
    """A queue and its clock."""

    queue: Queue
    clock: Clock = field(default_factory=Clock)

    def submit(self, *texts: str, **options: Any) -> Any:
        return self.queue.submit(ORACLE, texts, **options)

    def claim(self, n: int = 1, worker: str = "ada", lease_seconds: float = 30.0) -> Any:
        return self.queue.claim(worker, ORACLE.fingerprint, n, lease_seconds)

    def states(self) -> dict[str, int]:
        counts = self.queue.counts()
        assert counts.add_up
        return {name: n for name, n in vars(counts).items() if n and name != "submitted"}


def has_postgres() -> bool:
    try:
        binaries()
    except ConfigError:
        return False
    return True


def sql_queue(database: Database) -> SqlQueue:
    prepare(database)
    return SqlQueue(database, RETRIES, sweep_seconds=0.0)


def wipe(database: Database) -> None:
    """An empty queue in the tables that are there."""

    def work(connection: Any) -> None:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
        if not database.is_sqlite:
            connection.execute(text("ALTER SEQUENCE jobs_id_seq RESTART"))
        connection.execute(
            text("INSERT INTO queue_meta (name, value) VALUES ('queue_version', 1), ('answers', 0)")
        )

    database.run(work, "write")


def memory_database(clock: Clock) -> Database:
    return Database(open_engine(Path(":memory:"), 1.0), ":memory:", clock, patience_seconds=0.0)
