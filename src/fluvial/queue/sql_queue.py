"""The queue in a SQL database: each method is one transaction of a few statements around rules of `life`."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from fluvial.queue import job_statements as statements
from fluvial.queue import life
from fluvial.queue import meta_statements as meta
from fluvial.queue.database import Database
from fluvial.queue.jobs import (
    CONTROLS,
    DEAD,
    EVENTS,
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
from fluvial.queue.submission import submit_objects, wanted_objects

SWEEP_SECONDS = 1.0
"""Between two searches for expired leases by one process; a lease lasts at least ten times as long."""


class SqlQueue:
    """A `Queue` in a database; make one with `fluvial.queue.opening.open_queue`.

    Args:
        database: with the tables of `job_schema`.
        retries: how often and when jobs are tried again.
        sweep_seconds: between two searches for expired leases.
    """

    def __init__(
        self, database: Database, retries: Retries | None = None, sweep_seconds: float = SWEEP_SECONDS
    ) -> None:
        self.database = database
        self.retries = retries or Retries()
        self._sweep_seconds = sweep_seconds
        self._swept = -math.inf

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

        def work(connection: Connection) -> Submission:
            now, bounds = self.database.now(connection), (most_waiting, most_submitted)
            return submit_objects(connection, now, oracle, wanted, bounds)

        return self.database.run(work, "durable")

    def claim(self, worker: str, oracle: str, n: int, lease_seconds: float) -> list[Job]:
        """See `Queue.claim`."""
        token = uuid.uuid4().hex

        def work(connection: Connection) -> list[Job]:
            now = self.database.now(connection)
            self._sweep(connection, now)
            key = meta.oracle_id(connection, oracle)
            if key is None or meta.meta_value(connection, "paused"):
                return []
            rows = statements.ready_jobs(connection, key, n, now)
            ids = [row.id for row in rows]
            statements.hold(connection, ids, token, worker, now, now + lease_seconds)
            return [Job(row.id, row.text, row.attempts + 1, token) for row in rows]

        return self.database.run(work, "write")

    def extend(self, jobs: Sequence[Job], lease_seconds: float) -> set[int]:
        """See `Queue.extend`."""

        def work(connection: Connection) -> set[int]:
            now = self.database.now(connection)
            held: set[int] = set()
            for token in sorted({job.token for job in jobs}):
                ids = [job.id for job in jobs if job.token == token]
                held |= statements.extend(connection, ids, token, now, now + lease_seconds)
            return held

        return self.database.run(work, "write")

    def report(self, reports: Sequence[Report]) -> int:
        """See `Queue.report`."""
        told = {report.job.id: (report.job.token, report.result) for report in reversed(reports)}

        def ended(key: int, before: life.Life, now: float) -> life.Life | None:
            token, result = told[key]
            return life.reported(before, token, result, now, self.retries)

        return self._change(list(told), ended, "retried", "ignored", len(reports))

    def release(self, jobs: Sequence[Job]) -> int:
        """See `Queue.release`."""
        tokens = {job.id: job.token for job in jobs}

        def freed(key: int, before: life.Life, now: float) -> life.Life | None:
            return life.released(before, tokens[key], now)

        return self._change(list(tokens), freed, "released", None, len(jobs))

    def answers(self, after: int = 0, limit: int = 1000, oracle: str | None = None) -> list[Answer]:
        """See `Queue.answers`."""

        def number(connection: Connection) -> None:
            base = meta.locked_meta(connection, "answers")
            count = statements.number_answers(connection, base, max(limit, 1000))
            meta.add_meta(connection, "answers", count)

        # Reading alone must not make other processes wait.
        if self.database.run(statements.any_untold):
            self.database.run(number, "durable")
        found = self.database.run(
            lambda connection: statements.told_answers(connection, after, limit, oracle)
        )
        if found:
            # Another reader may have given these numbers a moment ago, and must not give them again later.
            self.database.sync()
        return found

    def known(self, oracle: str, texts: Sequence[str]) -> dict[str, Answer]:
        """See `Queue.known`."""
        keys = [key_of(text) for text in dict.fromkeys(texts)]

        def work(connection: Connection) -> dict[str, Answer]:
            key = meta.oracle_id(connection, oracle)
            rows = [] if key is None else statements.rows_of_keys(connection, key, keys)
            return {row.text: statements.as_answer(row) for row in rows if row.finished_at is not None}

        return self.database.run(work)

    def counts(self, oracle: str | None = None) -> Counts:
        """See `Queue.counts`."""

        def work(connection: Connection) -> Counts:
            key = None if oracle is None else meta.oracle_id(connection, oracle)
            if oracle is not None and key is None:
                return Counts()
            counter, found = f"submitted {oracle or ''}", meta.meta_values(connection)
            submitted = sum(value for name, value in found.items() if name.startswith(counter))
            return Counts(submitted, **statements.state_counts(connection, key))

        return self.database.run(work)

    def oldest(self) -> float | None:
        """See `Queue.oldest`."""
        return self.database.run(statements.oldest_waiting)

    def events(self) -> dict[str, int]:
        """See `Queue.events`."""
        found = self.database.run(meta.meta_values)
        return {name: found.get(name, 0) for name in EVENTS}

    def oracles(self) -> dict[str, Oracle]:
        """See `Queue.oracles`."""
        rows = self.database.run(meta.oracle_rows)
        return {row.fingerprint: Oracle(**json.loads(row.description)) for row in rows}

    def ended(self, since: float = 0.0, limit: int = 1000) -> list[Answer]:
        """See `Queue.ended`."""
        return self.database.run(lambda connection: statements.latest_ends(connection, since, limit))

    def failures(self, limit: int = 20, oracle: str | None = None) -> list[Answer]:
        """See `Queue.failures`."""

        def work(connection: Connection) -> list[Answer]:
            rows = statements.ends_without_value(connection, limit, oracle)
            return [statements.as_answer(row) for row in rows]

        return self.database.run(work)

    def revive(
        self, oracle: str | None = None, texts: Sequence[str] | None = None, refused: bool = False
    ) -> int:
        """See `Queue.revive`."""
        chosen = None if texts is None else set(texts)

        def find(connection: Connection) -> list[int]:
            rows = statements.ends_without_value(connection, None, oracle)
            return [
                row.id
                for row in rows
                if (refused or row.state == DEAD) and (chosen is None or row.text in chosen)
            ]

        def freed(key: int, before: life.Life, now: float) -> life.Life | None:
            return life.revived(before) if refused or before.state == DEAD else None

        return self._change(self.database.run(find), freed, "revived", None, 0)

    def set_controls(self, *, paused: bool | None = None, draining: bool | None = None) -> None:
        """See `Queue.set_controls`."""

        def work(connection: Connection) -> None:
            for name, value in zip(CONTROLS, (paused, draining), strict=True):
                if value is not None:
                    meta.put_meta(connection, name, int(value))

        self.database.run(work, "durable")

    def controls(self) -> Mapping[str, bool]:
        """See `Queue.controls`."""
        found = self.database.run(meta.meta_values)
        return {name: bool(found.get(name, 0)) for name in CONTROLS}

    def see(self, worker: WorkerState) -> None:
        """See `Queue.see`."""
        self.database.run(
            lambda connection: meta.put_worker(
                connection, replace(worker, seen_at=self.database.now(connection))
            ),
            "write",
        )

    def workers(self) -> list[WorkerState]:
        """See `Queue.workers`."""
        return [WorkerState(*row) for row in self.database.run(meta.worker_rows)]

    def now(self) -> float:
        """See `Queue.now`."""
        return self.database.run(self.database.now)

    def close(self) -> None:
        """See `Queue.close`."""
        self.database.close()

    def _change(
        self,
        ids: Sequence[int],
        rule: Callable[[int, life.Life, float], life.Life | None],
        event: str,
        ignored: str | None,
        asked: int,
    ) -> int:
        """Apply a rule of `life` to jobs and count; `event` counts the jobs that are ready again."""

        def work(connection: Connection) -> int:
            now = self.database.now(connection)
            changed = _apply(connection, statements.locked_rows(connection, ids), rule, now)
            again = sum(one.state == READY for one in changed.values())
            meta.add_meta(connection, event, again)
            if ignored is not None:
                meta.add_meta(connection, ignored, asked - len(changed))
            return len(changed)

        return self.database.run(work, "durable") if ids else 0

    def _sweep(self, connection: Connection, now: float) -> None:
        """Free the jobs of workers that are gone."""
        if 0.0 <= now - self._swept < self._sweep_seconds:
            return
        rows = statements.expired_leases(connection, now)

        def freed(key: int, before: life.Life, time: float) -> life.Life | None:
            return life.expired(before, time, self.retries)

        changed = _apply(connection, rows, freed, now)
        meta.add_meta(connection, "expired", len(changed))
        statements.shorten_rests(connection, now, now + self.retries.most_backoff_seconds)
        self._swept = now


def _apply(
    connection: Connection,
    rows: Mapping[int, Any],
    rule: Callable[[int, life.Life, float], life.Life | None],
    now: float,
) -> dict[int, life.Life]:
    """What a rule makes of rows, put down."""
    after = {key: rule(key, statements.as_life(row), now) for key, row in rows.items()}
    changed = {key: one for key, one in after.items() if one is not None}
    statements.write_lives(connection, changed)
    return changed
