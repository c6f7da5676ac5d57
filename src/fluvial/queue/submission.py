"""How objects become jobs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from fluvial.core.errors import DataError
from fluvial.queue import job_statements as statements
from fluvial.queue import meta_statements as meta
from fluvial.queue.jobs import Oracle, Submission, key_of
from fluvial.queue.life import Life


def wanted_objects(
    texts: Sequence[str], priorities: Sequence[float] | None
) -> dict[bytes, tuple[str, float]]:
    """Key to text and priority of each different object, in order of their first mention.

    Raises:
        DataError: a text cannot be an object, or a priority is not finite.
    """
    ranks = [0.0] * len(texts) if priorities is None else [float(value) for value in priorities]
    wanted: dict[bytes, tuple[str, float]] = {}
    for text, rank in zip(texts, ranks, strict=True):
        if not math.isfinite(rank):
            raise DataError(f"priority {rank} of {text[:60]!r} must be a finite number")
        wanted.setdefault(key_of(text), (text, rank))
    return wanted


def submit_objects(
    connection: Connection,
    now: float,
    oracle: Oracle,
    wanted: Mapping[bytes, tuple[str, float]],
    bounds: tuple[int | None, int | None],
) -> Submission:
    """Make jobs of objects that were never asked about, within the bounds on waiting and on all jobs."""
    # Submissions come one after the other, so that the bound on waiting jobs is kept exactly.
    meta.locked_meta(connection, "answers")
    key = meta.add_oracle(connection, oracle.fingerprint, oracle.description)
    found = list(statements.rows_of_keys(connection, key, list(wanted)))
    answered = tuple(statements.as_answer(row) for row in found if row.finished_at is not None)
    there = {row.text for row in found}
    new = [(name, *rest) for name, rest in wanted.items() if rest[0] not in there]
    most_waiting, most_submitted = bounds
    room = len(new)
    if meta.meta_value(connection, "draining"):
        room = 0
    elif most_waiting is not None:
        room = max(0, most_waiting - statements.waiting_jobs(connection, key, most_waiting))
    if most_submitted is not None:
        before = meta.meta_value(connection, f"submitted {oracle.fingerprint}") or 0
        room = min(room, max(0, most_submitted - before))
    taken, refused = new[:room], tuple(text for _, text, _ in new[room:])
    empty = statements.as_columns(Life())
    statements.insert_jobs(
        connection,
        [
            {"oracle_id": key, "key": name, "text": text, "priority": rank, "submitted_at": now, **empty}
            for name, text, rank in taken
        ],
    )
    meta.add_meta(connection, f"submitted {oracle.fingerprint}", len(taken))
    meta.add_meta(connection, "repeated", len(found))
    meta.add_meta(connection, "refused", len(refused))
    return Submission(len(taken), len(found) - len(answered), answered, refused)
