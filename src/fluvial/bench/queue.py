"""How many jobs the queue takes in, gives out and ends in a second, and what a long queue costs."""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from fluvial.bench.postgres_server import postgres_server
from fluvial.core.errors import ConfigError
from fluvial.queue.jobs import Oracle, Report, Result
from fluvial.queue.opening import open_queue
from fluvial.queue.sql_queue import SqlQueue

ORACLE = Oracle("benchmark")
LEASE_SECONDS = 600.0
FILL = 5000
"""Jobs that are submitted at once to make a long queue."""
CLAIMS = 50
"""Of which the median time is taken."""


def run(
    databases: str = "sqlite,postgres",
    processes: str = "1,4,16",
    batches: str = "20,64,256",
    seconds: float = 3.0,
    rows: str = "1000,10000,100000,1000000",
) -> dict[str, Any]:
    """Full cycles a second (submit, claim, report) and the time of a claim of 20 in queues of growing length.

    Each process submits a batch, claims as many jobs and reports them, again and again for `seconds`. Every
    submission and every report is on the disk before it returns. `rows = ""` leaves out the long queues.

    Raises:
        ConfigError: there is no such database, or no PostgreSQL server on this machine.
    """
    found: dict[str, Any] = {"benchmark": "queue", "throughput": [], "claims": []}
    for database in databases.split(","):
        for count in numbers(processes):
            for batch in numbers(batches):
                with fresh(database) as place:
                    found["throughput"].append(
                        {"database": database, **throughput(place, count, batch, seconds)}
                    )
        with fresh(database) as place:
            found["claims"] += [
                {"database": database, "rows": n, "milliseconds": claim_milliseconds(place, n)}
                for n in sorted(numbers(rows))
            ]
    return found


def numbers(text: str) -> list[int]:
    """Integers between commas.

    Raises:
        ConfigError: something else.
    """
    try:
        return [int(part) for part in text.split(",") if part]
    except ValueError as error:
        raise ConfigError(f"'{text}': must be integers between commas") from error


@contextmanager
def fresh(database: str) -> Iterator[str]:
    """A place for a new queue.

    Raises:
        ConfigError: there is no such database, or no PostgreSQL server on this machine.
    """
    if database == "sqlite":
        with tempfile.TemporaryDirectory(prefix="fluvial-queue-") as folder:
            yield str(Path(folder) / "queue.db")
    elif database == "postgres":
        with postgres_server() as server:
            yield server.url
    else:
        raise ConfigError(f"database '{database}': must be sqlite or postgres")


def throughput(place: str, count: int, batch: int, seconds: float) -> dict[str, Any]:
    """Cycles a second of `count` processes together, and the time of each of the three calls."""
    open_queue(place).close()
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(count)]
    crew = [
        context.Process(target=cycle, args=(place, number, batch, seconds, theirs))
        for number, (_, theirs) in enumerate(pipes)
    ]
    for process in crew:
        process.start()
    for ours, _ in pipes:
        ours.recv()
    for ours, _ in pipes:
        ours.send("go")
    outcomes = [ours.recv() for ours, _ in pipes]
    for process in crew:
        process.join()
    queue = open_queue(place)
    counts = queue.counts()
    queue.close()
    slowest = max(elapsed for elapsed, _ in outcomes)
    return {
        "processes": count,
        "batch": batch,
        "cycles_per_second": counts.done / slowest,
        "add_up": counts.add_up,
        **{
            f"{name}_p50_milliseconds": 1000.0
            * statistics.median(value for _, times in outcomes for value in times[name])
            for name in ("submit", "claim", "report")
        },
        **{
            f"{name}_p99_milliseconds": 1000.0
            * percentile([value for _, times in outcomes for value in times[name]], 0.99)
            for name in ("submit", "claim", "report")
        },
    }


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of all do not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def cycle(place: str, number: int, batch: int, seconds: float, pipe: Connection) -> None:
    """Submit, claim and report until the time is over; sends elapsed seconds and the times of all calls."""
    queue = open_queue(place)
    times: dict[str, list[float]] = {"submit": [], "claim": [], "report": []}
    pipe.send("ready")
    pipe.recv()
    began = time.perf_counter()
    n = 0
    while time.perf_counter() - began < seconds:
        texts = [f"C{number}-{n + index}" for index in range(batch)]
        n += batch
        marks = [time.perf_counter()]
        queue.submit(ORACLE, texts)
        marks.append(time.perf_counter())
        jobs = queue.claim(f"worker {number}", ORACLE.fingerprint, batch, LEASE_SECONDS)
        marks.append(time.perf_counter())
        queue.report([Report(job, Result({"value": 0.5})) for job in jobs])
        marks.append(time.perf_counter())
        for index, name in enumerate(times):
            times[name].append(marks[index + 1] - marks[index])
    pipe.send((time.perf_counter() - began, times))
    queue.close()


def claim_milliseconds(place: str, rows: int) -> float:
    """Median time of a claim of 20 while `rows` jobs are ready."""
    queue = open_queue(place)
    try:
        lengthen(queue, rows)
        times = []
        for _ in range(CLAIMS):
            began = time.perf_counter()
            jobs = queue.claim("worker", ORACLE.fingerprint, 20, LEASE_SECONDS)
            times.append(time.perf_counter() - began)
            queue.release(jobs)
        return 1000.0 * statistics.median(times)
    finally:
        queue.close()


def lengthen(queue: SqlQueue, rows: int) -> None:
    """Submit until `rows` jobs are ready."""
    there = queue.counts().ready
    for start in range(there, rows, FILL):
        queue.submit(ORACLE, [f"C{n}" for n in range(start, min(start + FILL, rows))])
