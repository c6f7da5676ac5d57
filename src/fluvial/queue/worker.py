"""A worker: claims jobs, has them evaluated, tells the results, and gives back what it cannot finish."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from fluvial.core.errors import RewardError, StorageError
from fluvial.queue.jobs import Job, Report, Result, WorkerState
from fluvial.queue.protocol import Queue

HEARTBEATS_PER_LEASE = 3
"""So that two may fail before a lease is lost."""
FLUSH_SECONDS = 1.0
"""Longest time that a result waits for others to be told with it; arbitrary."""
LONGEST_NAP_SECONDS = 1.0
"""Between two looks at an empty queue; arbitrary."""
MOST_BROKEN_BATCHES = 5
"""Batches in a row, of jobs never tried before, that broke as a whole; more are the worker's fault."""
MOST_UNAVAILABLE_SECONDS = 600.0
"""How long a service that is not there is waited for; arbitrary."""

ShouldStop = Callable[[], bool]


class UnavailableError(Exception):
    """The oracle is not there for now, which is not the fault of any object."""


class Evaluator(Protocol):
    """Objects to results, whatever it takes."""

    def evaluate(self, texts: Mapping[str, str], should_stop: ShouldStop) -> Iterator[tuple[str, Result]]:
        """A result for each object as soon as it is known, in any order; fewer only after `should_stop()`.

        Args:
            texts: id to object.
            should_stop: asked several times a second.

        Raises:
            UnavailableError: try again later.
            RewardError: it will never work.
        """
        ...

    def close(self) -> None:
        """End what it has started."""
        ...


@dataclass(frozen=True)
class WorkerSettings:
    """How a worker works."""

    oracle: str
    """Fingerprint of what it answers."""
    batch: int = 16
    """Jobs that are claimed at once. Arbitrary: large for fast functions, small for slow tools."""
    lease_seconds: float = 30.0
    """After this time without a heartbeat the jobs of a worker go to others. Arbitrary."""
    idle_exit_seconds: float | None = None
    """Idle time after which the worker ends; None for never."""


@dataclass
class _Hand:
    """What a worker holds, shared with the thread of its heartbeats."""

    state: WorkerState
    jobs: dict[int, Job] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    ended: threading.Event = field(default_factory=threading.Event)

    def take(self, jobs: Sequence[Job]) -> None:
        with self.lock:
            self.jobs = {job.id: job for job in jobs}
            self.state = replace(self.state, state="working" if jobs else "idle")

    def drop(self, reports: Sequence[Report]) -> None:
        values = sum(report.result.is_value for report in reports)
        with self.lock:
            for report in reports:
                self.jobs.pop(report.job.id, None)
            self.state = replace(
                self.state,
                n_values=self.state.n_values + values,
                n_failures=self.state.n_failures + len(reports) - values,
            )


def work(
    queue: Queue, evaluator: Evaluator, name: str, settings: WorkerSettings, stop: threading.Event
) -> WorkerState:
    """Work until `stop` is set, the queue is drained, or there was nothing to do for long; what was done.

    However this ends, results that are known are told, and other jobs are given back. A process that is
    killed leaves that to the end of its leases.

    Raises:
        RewardError: the oracle does not work here; no job is blamed for that.
        StorageError: the queue cannot be reached.
    """
    hand = _Hand(WorkerState(name, settings.oracle, "idle", started_at=queue.now()))
    queue.see(hand.state)
    beats = threading.Thread(target=_beat, args=(queue, hand, settings.lease_seconds), daemon=True)
    beats.start()
    try:
        _work(queue, evaluator, hand, settings, stop)
    finally:
        hand.ended.set()
        beats.join()
        with contextlib.suppress(StorageError):  # an error that is on its way says more
            queue.release(list(hand.jobs.values()))
            queue.see(replace(hand.state, state="stopped"))
    return hand.state


def _work(
    queue: Queue, evaluator: Evaluator, hand: _Hand, settings: WorkerSettings, stop: threading.Event
) -> None:
    nap, idle_since, broken, missed_since = 0.02, time.monotonic(), 0, None
    while not stop.is_set():
        jobs = queue.claim(hand.state.name, settings.oracle, settings.batch, settings.lease_seconds)
        hand.take(jobs)
        if not jobs:
            if _is_over(queue, settings, idle_since):
                return
            stop.wait(nap)
            nap = min(2.0 * nap, LONGEST_NAP_SECONDS)
            continue
        try:
            results = _evaluate(queue, evaluator, hand, stop)
        except UnavailableError as error:
            queue.release(list(hand.jobs.values()))
            hand.take([])
            missed_since = missed_since or time.monotonic()
            if time.monotonic() - missed_since > MOST_UNAVAILABLE_SECONDS:
                raise RewardError(f"{error}. Check that it runs; the jobs wait for another worker") from None
            nap = min(2.0 * nap, 30.0)
            stop.wait(nap)
            continue
        nap, idle_since, missed_since = 0.02, time.monotonic(), None
        if any(not result.may_pass for result in results):
            broken = 0
        elif results and jobs[0].attempt == 1:
            broken += 1
        if broken >= MOST_BROKEN_BATCHES:
            raise RewardError(
                f"{broken} batches in a row broke as a whole, the last because: {results[-1].reason}. "
                "This says more of the worker than of the objects, so it stops; they will be tried again"
            )


def _evaluate(queue: Queue, evaluator: Evaluator, hand: _Hand, stop: threading.Event) -> list[Result]:
    """The results of the jobs in hand, which are told as they come."""
    jobs = {str(key): job for key, job in hand.jobs.items()}
    texts = {key: job.text for key, job in jobs.items()}
    waiting: list[Report] = []
    results: list[Result] = []
    flushed = last = time.monotonic()

    def flush() -> None:
        queue.report(waiting)
        hand.drop(waiting)
        waiting.clear()

    try:
        for key, result in evaluator.evaluate(texts, stop.is_set):
            # Where the oracle does not say, the time since its last answer: over a batch this adds up.
            took = time.monotonic() - last if result.seconds is None else result.seconds
            last = time.monotonic()
            waiting.append(Report(jobs[key], replace(result, seconds=took)))
            results.append(result)
            if time.monotonic() - flushed >= FLUSH_SECONDS:
                flush()
                flushed = time.monotonic()
    finally:
        flush()
    return results


def _is_over(queue: Queue, settings: WorkerSettings, idle_since: float) -> bool:
    """Whether a worker that found nothing to do may go."""
    limit = settings.idle_exit_seconds
    if limit is not None and time.monotonic() - idle_since >= limit:
        return True
    if not queue.controls()["draining"]:
        return False
    counts = queue.counts(settings.oracle)
    return counts.ready + counts.leased == 0


def _beat(queue: Queue, hand: _Hand, lease_seconds: float) -> None:
    """Hold the jobs and show that the worker lives, in a thread that no evaluation can block."""
    while not hand.ended.wait(lease_seconds / HEARTBEATS_PER_LEASE):
        with hand.lock:
            jobs, state = list(hand.jobs.values()), hand.state
        # Whether the queue can be reached is found out, and said, where results are told.
        with contextlib.suppress(StorageError):
            if jobs:
                queue.extend(jobs, lease_seconds)
            queue.see(state)
