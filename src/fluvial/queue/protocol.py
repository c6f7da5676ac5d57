"""What every queue can do, whatever keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from fluvial.queue.jobs import Answer, Counts, Job, Oracle, Report, Submission, WorkerState


class Queue(Protocol):
    """Jobs, one for each pair of object and oracle, with their answers.

    Nothing is lost: a job is ready, leased, or ended, and a lease that runs out makes it ready again. What is
    done twice has the effect of once.

    All methods raise StorageError if the database cannot be reached or written; then nothing was changed.
    """

    def submit(
        self,
        oracle: Oracle,
        texts: Sequence[str],
        priorities: Sequence[float] | None = None,
        most_waiting: int | None = None,
        most_submitted: int | None = None,
    ) -> Submission:
        """Ask for answers; objects that were asked about before are not asked about again.

        Args:
            oracle: what is asked.
            texts: canonical texts of objects.
            priorities: one for each text, finite, the greatest first; jobs of equal priority are given out
                in the order in which they came. None for 0. See `fluvial.queue.priorities`.
            most_waiting: bound on the jobs of this oracle without an answer; what goes beyond is refused.
            most_submitted: bound on all jobs of this oracle that there ever were; likewise.

        Raises:
            DataError: a text cannot be an object, or a priority is not finite.
        """
        ...

    def claim(self, worker: str, oracle: str, n: int, lease_seconds: float) -> list[Job]:
        """At most `n` jobs for `worker` alone, for `lease_seconds` from now; none while the queue is paused.

        A job that failed before comes alone, so that it can harm no other.

        Args:
            worker: name of who asks.
            oracle: fingerprint.
            n: >= 1.
            lease_seconds: > 0.
        """
        ...

    def extend(self, jobs: Sequence[Job], lease_seconds: float) -> set[int]:
        """Hold jobs for `lease_seconds` from now; ids of those that are still held."""
        ...

    def report(self, reports: Sequence[Report]) -> int:
        """Tell results; how many of them changed something.

        A value is accepted also after the lease has run out, the first one for good. A failure is accepted
        from the holder of the lease only.
        """
        ...

    def release(self, jobs: Sequence[Job]) -> int:
        """Give back jobs that were not tried; how many were still held."""
        ...

    def answers(self, after: int = 0, limit: int = 1000, oracle: str | None = None) -> list[Answer]:
        """Ends of jobs with numbers greater than `after`, in order of their numbers.

        Numbers follow the order in which answers were first read, and never one another's past: who keeps
        the last number that was read misses nothing. A dead job that ends again is told again.
        """
        ...

    def known(self, oracle: str, texts: Sequence[str]) -> dict[str, Answer]:
        """Ends of the jobs of those of `texts` that have ended."""
        ...

    def counts(self, oracle: str | None = None) -> Counts:
        """How many jobs there are of each state."""
        ...

    def oldest(self) -> float | None:
        """When the job that waits longest was submitted, seconds since 1970; None if none waits."""
        ...

    def events(self) -> dict[str, int]:
        """How often what happened, by name.

        `repeated` and `refused` objects, `expired` leases, `retried` failures, `released` and `revived` jobs,
        and `ignored` reports, which were late, doubled or of jobs that never existed.
        """
        ...

    def oracles(self) -> dict[str, Oracle]:
        """All that was ever asked, by fingerprint."""
        ...

    def ended(self, since: float = 0.0, limit: int = 1000) -> list[Answer]:
        """What ended after `since`, seconds since 1970, the latest first."""
        ...

    def failures(self, limit: int = 20, oracle: str | None = None) -> list[Answer]:
        """The latest jobs that ended without a value."""
        ...

    def revive(
        self, oracle: str | None = None, texts: Sequence[str] | None = None, refused: bool = False
    ) -> int:
        """Try dead jobs again (`refused`: those that failed for good too); how many there are."""
        ...

    def set_controls(self, *, paused: bool | None = None, draining: bool | None = None) -> None:
        """Give out no jobs while paused; accept none, and send workers home at the end, while draining."""
        ...

    def controls(self) -> Mapping[str, bool]:
        """`paused` and `draining`."""
        ...

    def see(self, worker: WorkerState) -> None:
        """Remember what a worker says of itself, and when."""
        ...

    def workers(self) -> list[WorkerState]:
        """All workers that were ever seen, the latest first."""
        ...

    def now(self) -> float:
        """Seconds since 1970 by the clock of the database."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...
