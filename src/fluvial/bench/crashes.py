"""Whether anything is lost or counted twice while processes are killed: the queue's promise, tried."""

from __future__ import annotations

import multiprocessing
import os
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import blake2b
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

from fluvial.bench.postgres_server import PostgresServer, postgres_server
from fluvial.core.errors import ConfigError
from fluvial.queue.jobs import Oracle, Result, Retries
from fluvial.queue.opening import open_queue
from fluvial.queue.sql_queue import SqlQueue
from fluvial.queue.worker import ShouldStop, WorkerSettings, work

ORACLE = Oracle("crash test")
MOST_WAITING = 400
SUBMITTED_AT_ONCE = 20
EVALUATION_SECONDS = 0.0005
"""Long enough that most kills hit a worker that holds jobs."""
PATIENT = Retries(max_attempts=1_000_000)
"""A job must not die of unlucky kills here, so that each object must have a value in the end."""
SUBMITTER_SHARE = 0.2
QUIET_SECONDS = 120.0
"""Longest time without progress after the last kill."""


def run(
    kills: int = 200,
    database: str = "sqlite",
    workers: int = 4,
    batch: int = 20,
    server_kills: int = 0,
    lease_seconds: float = 3.0,
    seed: int = 0,
) -> dict[str, Any]:
    """Kill workers and the submitter again and again, and count what is lost, doubled and repeated.

    `database` is sqlite or postgres (a server of its own, which is killed `server_kills` times, too). Leases
    are short, so that the jobs of those killed come back soon.

    Raises:
        ConfigError: there is no such database, or no PostgreSQL server on this machine.
    """
    if database not in ("sqlite", "postgres") or (server_kills and database == "sqlite"):
        raise ConfigError(
            f"database = '{database}': must be sqlite or postgres; only the latter has a server to kill"
        )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fluvial-crashes-")))
        server = stack.enter_context(postgres_server()) if database == "postgres" else None
        place = str(folder / "queue.db") if server is None else server.url
        queue = open_queue(place, retries=PATIENT)
        stack.callback(queue.close)
        trial = Trial(folder, place, queue, batch, lease_seconds, random.Random(seed))  # noqa: S311 - no secret
        began = time.monotonic()
        trial.go(kills, workers, server, server_kills)
        found = trial.outcome()
    return {
        "benchmark": "crashes",
        "database": database,
        "workers": workers,
        "batch": batch,
        "kills": kills,
        "server_kills": server_kills,
        "seconds": time.monotonic() - began,
        **found,
        "repeated_per_kill": found["repeated"] / max(kills, 1),
    }


@dataclass
class Trial:
    """The processes, who kills them, and what they left behind."""

    folder: Path
    place: str
    queue: SqlQueue
    batch: int
    lease_seconds: float
    generator: random.Random
    told: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    cursor: int = 0

    def go(self, kills: int, workers: int, server: PostgresServer | None, server_kills: int) -> None:
        """Kill while there is work, then let all be finished."""
        context = multiprocessing.get_context("forkserver")
        # Processes that start in milliseconds, or the kills would take hours.
        context.set_forkserver_preload(["fluvial.bench.crashes", "psycopg"])
        crew = [self._worker(context, number) for number in range(workers)]
        submitter = self._submitter(context)
        server_every = kills // server_kills if server_kills else kills + 1
        for kill in range(1, kills + 1):
            self._await_progress()
            time.sleep(self.generator.uniform(0.0, 0.03))
            if self.generator.random() < SUBMITTER_SHARE:
                end(submitter)
                submitter = self._submitter(context)
            else:
                victim = self.generator.randrange(workers)
                end(crew[victim])
                crew[victim] = self._worker(context, workers + kill)
            if server is not None and kill % server_every == 0:
                server.kill()
                server.start()
            self._collect()
        (self.folder / "enough").touch()
        submitter.join(QUIET_SECONDS)
        self._finish()
        for process in [submitter, *crew]:
            end(process)

    def outcome(self) -> dict[str, Any]:
        """What became of everything that was acknowledged."""
        acknowledged = set((self.folder / "acknowledged").read_text().split())
        evaluated = Counter((self.folder / "evaluated").read_text().split())
        counts = self.queue.counts()
        return {
            "submitted": counts.submitted,
            "acknowledged": len(acknowledged),
            "lost": sum(name not in self.told for name in acknowledged) + counts.submitted - counts.done,
            "doubled": sum(n - 1 for n in self.told.values()),
            "wrong": self.wrong,
            "repeated": evaluated.total() - len(evaluated),
            "add_up": counts.add_up,
        }

    def _await_progress(self) -> None:
        """Let the others work, so that no kill hits processes that are still starting only."""
        path, deadline = self.folder / "evaluated", time.monotonic() + QUIET_SECONDS
        size = path.stat().st_size if path.exists() else 0
        while time.monotonic() < deadline:
            if path.exists() and path.stat().st_size > size:
                return
            time.sleep(0.005)

    def _collect(self) -> None:
        while found := self.queue.answers(self.cursor):
            self.cursor = found[-1].number or 0
            self.told.update(end.text for end in found)
            self.wrong += sum(end.values != {"value": value_of(end.text)} for end in found)

    def _finish(self) -> None:
        """Wait until nothing is waiting, as long as something moves."""
        last, since = -1, time.monotonic()
        while True:
            counts = self.queue.counts()
            # In this order, so that what ends between the two is collected, too.
            self._collect()
            if counts.ready + counts.leased == 0:
                return
            if counts.done != last:
                last, since = counts.done, time.monotonic()
            if time.monotonic() - since > QUIET_SECONDS:
                return
            time.sleep(0.05)

    def _worker(self, context: ForkServerContext, number: int) -> ForkServerProcess:
        return start(context, keep_working, self.place, self.folder, self._settings(), f"worker-{number}")

    def _settings(self) -> WorkerSettings:
        return WorkerSettings(ORACLE.fingerprint, self.batch, self.lease_seconds)

    def _submitter(self, context: ForkServerContext) -> ForkServerProcess:
        return start(context, keep_submitting, self.place, self.folder)


def start(context: ForkServerContext, target: Any, *arguments: Any) -> ForkServerProcess:
    """A running process."""
    process = context.Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


def end(process: ForkServerProcess) -> None:
    """SIGKILL."""
    process.kill()
    process.join()
    process.close()


def keep_submitting(place: str, folder: Path) -> None:
    """Submit objects until there are enough; each is written down once it was acknowledged."""
    queue = open_queue(place, retries=PATIENT)
    # What was submitted and not written down before a kill is submitted again.
    n = max(0, queue.counts().submitted - SUBMITTED_AT_ONCE) // SUBMITTED_AT_ONCE * SUBMITTED_AT_ONCE
    while not (folder / "enough").exists():
        texts = [f"object-{n + index}" for index in range(SUBMITTED_AT_ONCE)]
        found = queue.submit(ORACLE, texts, most_waiting=MOST_WAITING)
        if found.refused:
            time.sleep(0.005)
            continue
        append(folder / "acknowledged", texts)
        n += SUBMITTED_AT_ONCE


def keep_working(place: str, folder: Path, settings: WorkerSettings, name: str) -> None:
    """Work until killed."""
    queue = open_queue(place, retries=PATIENT)
    work(queue, Recorded(folder / "evaluated"), name, settings, threading.Event())


@dataclass(frozen=True)
class Recorded:
    """Evaluates, and writes down what it evaluated."""

    path: Path

    def evaluate(self, texts: Mapping[str, str], should_stop: ShouldStop) -> Iterator[tuple[str, Result]]:
        """See `Evaluator.evaluate`."""
        for key, text in texts.items():
            time.sleep(EVALUATION_SECONDS)
            append(self.path, [text])
            yield key, Result({"value": value_of(text)})

    def close(self) -> None:
        """Nothing."""


def value_of(text: str) -> float:
    """The right value of an object."""
    return int.from_bytes(blake2b(text.encode(), digest_size=4).digest(), "big") / 2.0**32


def append(path: Path, texts: list[str]) -> None:
    """Add lines to a file by one system call, so that a kill leaves whole lines."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, "".join(f"{text}\n" for text in texts).encode())
    finally:
        os.close(descriptor)
