"""The queue in the memory of one process: for tests, and where nothing need outlive the process."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from fluvial.queue import life
from fluvial.queue.jobs import (
    CONTROLS,
    DEAD,
    DONE,
    EVENTS,
    LEASED,
    READY,
    Answer,
    Counts,
    Job,
    Oracle,
    Report,
    Retries,
    Submission,
    WorkerState,
    key_of,
)
from fluvial.queue.life import Life
from fluvial.queue.submission import wanted_objects


@dataclass
class _Row:
    id: int
    oracle: str
    text: str
    priority: float
    submitted_at: float
    life: Life


class MemoryQueue:
    """A `Queue` that ends with its process; threads may share it.

    Args:
        retries: how often and when jobs are tried again.
        clock: seconds since 1970.
    """

    def __init__(self, retries: Retries | None = None, clock: Callable[[], float] = time.time) -> None:
        self.retries = retries or Retries()
        self._clock = clock
        self._lock = threading.Lock()
        self._rows: dict[int, _Row] = {}
        self._ids: dict[tuple[str, bytes], int] = {}
        self._oracles: dict[str, Oracle] = {}
        self._events: Counter[str] = Counter()
        self._submitted: Counter[str] = Counter()
        self._controls = dict.fromkeys(CONTROLS, False)
        self._workers: dict[str, WorkerState] = {}
        self._last_answer = 0

    def submit(
        self,
        oracle: Oracle,
        texts: Sequence[str],
        priorities: Sequence[float] | None = None,
        most_waiting: int | None = None,
        most_submitted: int | None = None,
    ) -> Submission:
        """See `Queue.submit`."""
        wanted = wanted_objects(texts, priorities)
        name = oracle.fingerprint
        with self._lock:
            self._oracles.setdefault(name, oracle)
            found = [self._rows[self._ids[name, key]] for key in wanted if (name, key) in self._ids]
            new = [(key, *rest) for key, rest in wanted.items() if (name, key) not in self._ids]
            waiting = sum(row.oracle == name and _waits(row.life) for row in self._rows.values())
            room = len(new) if most_waiting is None else max(0, most_waiting - waiting)
            if most_submitted is not None:
                room = min(room, max(0, most_submitted - self._submitted[name]))
            room = 0 if self._controls["draining"] else room
            for key, text, rank in new[:room]:
                number = len(self._rows) + 1
                self._ids[name, key] = number
                self._rows[number] = _Row(number, name, text, rank, self._clock(), Life())
            refused = tuple(text for _, text, _ in new[room:])
            self._submitted[name] += len(new) - len(refused)
            self._events["repeated"] += len(found)
            self._events["refused"] += len(refused)
            answered = tuple(_answer(row) for row in found if not _waits(row.life))
        return Submission(len(new) - len(refused), len(found) - len(answered), answered, refused)

    def claim(self, worker: str, oracle: str, n: int, lease_seconds: float) -> list[Job]:
        """See `Queue.claim`."""
        with self._lock:
            now, token = self._clock(), uuid.uuid4().hex
            self._sweep(now)
            if self._controls["paused"]:
                return []
            ready = [row for row in self._rows.values() if row.oracle == oracle and row.life.state == READY]
            retries = [row for row in ready if row.life.due is not None and row.life.due <= now]
            fresh = sorted((row for row in ready if row.life.attempts == 0), key=lambda row: -row.priority)
            chosen = [min(retries, key=lambda row: row.life.due or 0.0)] if retries else fresh[:n]
            for row in chosen:
                row.life = life.claimed(row.life, token, worker, now, lease_seconds)
            return [Job(row.id, row.text, row.life.attempts, token) for row in chosen]

    def extend(self, jobs: Sequence[Job], lease_seconds: float) -> set[int]:
        """See `Queue.extend`."""
        with self._lock:
            now, held = self._clock(), set()
            for job in jobs:
                row = self._rows.get(job.id)
                if row is not None and row.life.state == LEASED and row.life.token == job.token:
                    row.life = row.life._replace(leased_at=now, lease_until=now + lease_seconds)
                    held.add(job.id)
            return held

    def report(self, reports: Sequence[Report]) -> int:
        """See `Queue.report`."""
        told = {report.job.id: report for report in reversed(reports)}

        def ended(row: _Row) -> Life | None:
            report = told[row.id]
            return life.reported(row.life, report.job.token, report.result, self._clock(), self.retries)

        changed = self._change(list(told), ended, "retried")
        self._events["ignored"] += len(reports) - changed
        return changed

    def release(self, jobs: Sequence[Job]) -> int:
        """See `Queue.release`."""
        tokens = {job.id: job.token for job in jobs}
        return self._change(
            list(tokens), lambda row: life.released(row.life, tokens[row.id], self._clock()), "released"
        )

    def answers(self, after: int = 0, limit: int = 1000, oracle: str | None = None) -> list[Answer]:
        """See `Queue.answers`."""
        with self._lock:
            for row in self._rows.values():
                if not _waits(row.life) and row.life.answer is None:
                    self._last_answer += 1
                    row.life = row.life._replace(answer=self._last_answer)
            told = [
                _answer(row)
                for row in self._rows.values()
                if (row.life.answer or 0) > after and (oracle is None or row.oracle == oracle)
            ]
        return sorted(told, key=lambda answer: answer.number or 0)[:limit]

    def known(self, oracle: str, texts: Sequence[str]) -> dict[str, Answer]:
        """See `Queue.known`."""
        with self._lock:
            ids = [self._ids.get((oracle, key_of(text))) for text in dict.fromkeys(texts)]
            rows = [self._rows[key] for key in ids if key is not None]
            return {row.text: _answer(row) for row in rows if not _waits(row.life)}

    def counts(self, oracle: str | None = None) -> Counts:
        """See `Queue.counts`."""
        with self._lock:
            states = Counter(row.life.state for row in self._rows.values() if oracle in (None, row.oracle))
            submitted = self._submitted.total() if oracle is None else self._submitted[oracle]
        return Counts(submitted, **states)

    def oldest(self) -> float | None:
        """See `Queue.oldest`."""
        with self._lock:
            return next((row.submitted_at for row in self._rows.values() if _waits(row.life)), None)

    def events(self) -> dict[str, int]:
        """See `Queue.events`."""
        return {name: self._events[name] for name in EVENTS}

    def oracles(self) -> dict[str, Oracle]:
        """See `Queue.oracles`."""
        return dict(self._oracles)

    def ended(self, since: float = 0.0, limit: int = 1000) -> list[Answer]:
        """See `Queue.ended`."""
        with self._lock:
            ends = [_answer(row) for row in self._rows.values() if (row.life.finished_at or 0.0) > since]
        return sorted(ends, key=lambda end: -end.finished_at)[:limit]

    def failures(self, limit: int = 20, oracle: str | None = None) -> list[Answer]:
        """See `Queue.failures`."""
        with self._lock:
            ended = [
                _answer(row)
                for row in reversed(self._rows.values())
                if not _waits(row.life) and row.life.state != DONE and oracle in (None, row.oracle)
            ]
        return ended[:limit]

    def revive(
        self, oracle: str | None = None, texts: Sequence[str] | None = None, refused: bool = False
    ) -> int:
        """See `Queue.revive`."""
        ids = [
            row.id
            for row in list(self._rows.values())
            if oracle in (None, row.oracle)
            and (texts is None or row.text in texts)
            and (refused or row.life.state == DEAD)
        ]
        return self._change(ids, lambda row: life.revived(row.life), "revived")

    def set_controls(self, *, paused: bool | None = None, draining: bool | None = None) -> None:
        """See `Queue.set_controls`."""
        given = {"paused": paused, "draining": draining}
        self._controls |= {name: value for name, value in given.items() if value is not None}

    def controls(self) -> Mapping[str, bool]:
        """See `Queue.controls`."""
        return dict(self._controls)

    def see(self, worker: WorkerState) -> None:
        """See `Queue.see`."""
        self._workers[worker.name] = replace(worker, seen_at=self._clock())

    def workers(self) -> list[WorkerState]:
        """See `Queue.workers`."""
        return sorted(self._workers.values(), key=lambda worker: (-worker.seen_at, worker.name))

    def now(self) -> float:
        """See `Queue.now`."""
        return self._clock()

    def close(self) -> None:
        """Nothing."""

    def _sweep(self, now: float) -> None:
        far = now + self.retries.most_backoff_seconds
        for row in self._rows.values():
            after = life.expired(row.life, now, self.retries)
            self._events["expired"] += after is not None
            row.life = after or row.life
            if row.life.due is not None and row.life.due > far:
                row.life = row.life._replace(due=now)

    def _change(self, ids: Sequence[int], rule: Callable[[_Row], Life | None], event: str) -> int:
        """Apply a rule of `life`; `event` counts the jobs that are ready again."""
        with self._lock:
            rows = [self._rows[key] for key in ids if key in self._rows]
            changed = [(row, after) for row in rows if (after := rule(row)) is not None]
            for row, after in changed:
                row.life = after
                self._events[event] += after.state == READY
        return len(changed)


def _waits(state: Life) -> bool:
    return state.state in (READY, LEASED)


def _answer(row: _Row) -> Answer:
    state = row.life
    return Answer(
        state.answer, row.oracle, row.text, state.state, dict(state.values or {}), state.reason,
        state.attempts, state.owner, state.seconds, row.submitted_at, state.finished_at or 0.0,
    )  # fmt: skip
