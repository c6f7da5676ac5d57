"""How a queue is doing: depth, rates, times, failures by reason, workers alive."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fluvial.queue.jobs import Answer, Counts, Oracle, WorkerState
from fluvial.queue.protocol import Queue

LATEST = 1000
"""Ends that times and rates are taken from; arbitrary."""
ALIVE_SECONDS = 90.0
"""A worker that was not seen for so long is taken to be gone: three leases of the default length."""
MOST_REASONS = 5


@dataclass(frozen=True)
class Times:
    """Percentiles in seconds; nan where there is nothing to count."""

    p50: float
    p90: float
    p99: float


@dataclass(frozen=True)
class OracleSummary:
    """What became of the jobs of an oracle."""

    name: str
    fingerprint: str
    counts: Counts


@dataclass(frozen=True)
class Summary:
    """What `summarise` found out."""

    counts: Counts
    oracles: tuple[OracleSummary, ...]
    answers_per_minute: float
    """Over the last ten minutes, or over the time in which the latest `LATEST` came if that is shorter."""
    latency: Times
    """From submission to the end."""
    evaluation: Times
    """Of the oracle."""
    oldest_seconds: float
    """Age of the job that waits longest for its answer; nan where none waits."""
    reasons: tuple[tuple[str, int], ...]
    """Of the latest failures, the most frequent first, numbers in them replaced by N."""
    workers: tuple[WorkerState, ...]
    """Those that are alive."""
    lost_workers: int
    """Those that vanished without a word."""
    events: dict[str, int]
    controls: dict[str, bool]

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {**asdict(self), "add_up": self.counts.add_up}


def summarise(queue: Queue) -> Summary:
    """How a queue is doing right now."""
    now = queue.now()
    ends = queue.ended(limit=LATEST)
    workers, oldest = queue.workers(), queue.oldest()
    running = [worker for worker in workers if worker.state != "stopped"]
    alive = tuple(worker for worker in running if now - worker.seen_at <= ALIVE_SECONDS)
    failures = Counter(kind_of(end.reason) for end in queue.failures(LATEST))
    return Summary(
        counts=queue.counts(),
        oracles=tuple(
            OracleSummary(oracle.name, key, queue.counts(key)) for key, oracle in queue.oracles().items()
        ),
        answers_per_minute=rate(ends, now),
        latency=times([end.finished_at - end.submitted_at for end in ends]),
        evaluation=times([end.seconds for end in ends if end.seconds is not None]),
        oldest_seconds=math.nan if oldest is None else max(0.0, now - oldest),
        reasons=tuple(failures.most_common(MOST_REASONS)),
        workers=alive,
        lost_workers=len(running) - len(alive),
        events=queue.events(),
        controls=dict(queue.controls()),
    )


def rate(ends: Sequence[Answer], now: float, window_seconds: float = 600.0) -> float:
    """Ends a minute in the last `window_seconds`."""
    recent = [end.finished_at for end in ends if now - end.finished_at <= window_seconds]
    if not recent:
        return 0.0
    is_full = len(recent) == LATEST
    return 60.0 * len(recent) / (max(now - recent[-1], 1.0) if is_full else window_seconds)


def times(seconds: Sequence[float]) -> Times:
    """Percentiles, each the smallest time that at least this share does not exceed."""
    if not seconds:
        return Times(math.nan, math.nan, math.nan)
    ordered = sorted(seconds)
    p50, p90, p99 = (ordered[math.ceil(share * len(ordered)) - 1] for share in (0.5, 0.9, 0.99))
    return Times(p50, p90, p99)


def kind_of(reason: str) -> str:
    """A reason without what differs from object to object."""
    return re.sub(r"\d+(\.\d+)?", "N", re.sub(r"'[^']*'", "'…'", reason))[:120]


def find_oracle(oracles: dict[str, Oracle], wanted: str | None) -> str | None:
    """Fingerprint of the oracle with this name or beginning of a fingerprint; None if it is not there yet.

    Args:
        oracles: by fingerprint.
        wanted: None if there is only one.

    Raises:
        LookupError: several fit; the message names them.
    """
    fits = [
        key
        for key, oracle in oracles.items()
        if wanted is None or wanted == oracle.name or key.startswith(wanted)
    ]
    if len(fits) > 1:
        names = ", ".join(f"{oracles[key].name} ({key[:8]})" for key in fits)
        raise LookupError(names)
    return fits[0] if fits else None
