"""Every statement about jobs that the queue sends, built once; the same for SQLite and PostgreSQL.

`FOR UPDATE SKIP LOCKED` is for PostgreSQL, where several transactions write at once. SQLite leaves it out:
there a writing transaction is alone from its beginning.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Connection, bindparam, func, select, update

from fluvial.queue.job_schema import (
    IS_FRESH,
    IS_LEASED,
    IS_RETRY,
    IS_UNTOLD,
    IS_WITHOUT_VALUE,
    jobs,
    oracles,
)
from fluvial.queue.jobs import STATES, Answer
from fluvial.queue.life import Life
from fluvial.queue.meta_statements import oracle_rows
from fluvial.queue.sql_parts import Bulk, chunks

LIFE = (
    jobs.c.id, jobs.c.state, jobs.c.attempts, jobs.c.due, jobs.c.token, jobs.c.owner, jobs.c.leased_at,
    jobs.c.lease_until, jobs.c.result, jobs.c.reason, jobs.c.seconds, jobs.c.finished_at, jobs.c.answer,
)  # fmt: skip


SOME: Any = bindparam("some", expanding=True)
IS_MINE = jobs.c.oracle_id == bindparam("oracle")
WITH_ORACLE = select(jobs.c.text, jobs.c.submitted_at, oracles.c.fingerprint, *LIFE).join_from(jobs, oracles)
BY_KEY = WITH_ORACLE.where(IS_MINE, jobs.c.key.in_(SOME))
UNANSWERED = (IS_FRESH, IS_RETRY, IS_LEASED)
WAITING = [
    select(func.count()).select_from(
        select(jobs.c.id).where(IS_MINE, kind).limit(bindparam("most")).subquery()
    )
    for kind in UNANSWERED
]
"""Counts of three kinds, none of which reads more than `most` rows."""


def rows_of_keys(connection: Connection, oracle: int, keys: Sequence[bytes]) -> Iterator[Any]:
    """The jobs of the objects with these keys."""
    for part in chunks(keys):
        yield from connection.execute(BY_KEY, {"oracle": oracle, "some": part})


def waiting_jobs(connection: Connection, oracle: int, most: int) -> int:
    """Jobs of an oracle without an answer, counted up to `most` of each kind."""
    asked = {"oracle": oracle, "most": most}
    return sum(connection.execute(kind, asked).scalar_one() for kind in WAITING)


ADD = Bulk(jobs, [column for column in jobs.c if column is not jobs.c.id])


def insert_jobs(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Add ready jobs."""
    ADD.run(connection, rows)


NEXT_RETRY = (
    select(jobs.c.text, *LIFE)
    .where(IS_MINE, IS_RETRY, jobs.c.due <= bindparam("now"))
    .order_by(jobs.c.due, jobs.c.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)
"""The one job that failed before and is due for the longest time."""
NEXT_FRESH = (
    select(jobs.c.text, *LIFE)
    .where(IS_MINE, IS_FRESH)
    .order_by(jobs.c.priority.desc(), jobs.c.id)
    .limit(bindparam("n"))
    .with_for_update(skip_locked=True)
)
"""The first `n` jobs that were never tried."""
EXPIRED = (
    select(*LIFE)
    .where(IS_LEASED, (jobs.c.lease_until <= bindparam("now")) | (jobs.c.leased_at > bindparam("now")))
    .limit(1000)
    .with_for_update(skip_locked=True)
)
"""Leases that ran out, and those from a future that a clock saw before it was set back."""
LATE = update(jobs).where(IS_MINE, IS_RETRY, jobs.c.due > bindparam("far")).values(due=bindparam("now"))
LOCKED = select(*LIFE).where(jobs.c.id.in_(SOME)).order_by(jobs.c.id).with_for_update()
"""In order of ids, so that two transactions never wait for each other in a circle."""
HOLD = (
    update(jobs)
    .where(jobs.c.id.in_(SOME))
    .values(
        state="leased",
        attempts=jobs.c.attempts + 1,
        due=None,
        token=bindparam("new_token"),
        owner=bindparam("new_owner"),
        leased_at=bindparam("now"),
        lease_until=bindparam("until"),
    )
)
EXTEND = (
    update(jobs)
    .where(jobs.c.id.in_(SOME), IS_LEASED, jobs.c.token == bindparam("old_token"))
    .values(leased_at=bindparam("now"), lease_until=bindparam("until"))
    .returning(jobs.c.id)
)
WRITE = Bulk(jobs, LIFE[1:], jobs.c.id)


def ready_jobs(connection: Connection, oracle: int, n: int, now: float) -> Sequence[Any]:
    """What the next worker should get: one job that failed before, else `n` fresh ones."""
    retry = connection.execute(NEXT_RETRY, {"oracle": oracle, "now": now}).all()
    return retry or connection.execute(NEXT_FRESH, {"oracle": oracle, "n": n}).all()


def expired_leases(connection: Connection, now: float) -> dict[int, Any]:
    """Jobs by id whose leases are over."""
    return {row.id: row for row in connection.execute(EXPIRED, {"now": now})}


def shorten_rests(connection: Connection, now: float, far: float) -> None:
    """Make due what rests until after `far`, which only a clock that was set back can have asked for."""
    # Oracle by oracle, because the index is ordered so.
    for row in oracle_rows(connection):
        connection.execute(LATE, {"oracle": row.id, "now": now, "far": far})


def locked_rows(connection: Connection, ids: Sequence[int]) -> dict[int, Any]:
    """The changing part of jobs, which nobody else can change until the transaction ends."""
    parts = chunks(sorted(ids))
    return {row.id: row for part in parts for row in connection.execute(LOCKED, {"some": part})}


def hold(
    connection: Connection, ids: Sequence[int], token: str, owner: str, now: float, until: float
) -> None:
    """Give the jobs one and the same lease, one attempt more."""
    lease = {"new_token": token, "new_owner": owner, "now": now, "until": until}
    for part in chunks(ids):
        connection.execute(HOLD, {"some": part, **lease})


def extend(connection: Connection, ids: Sequence[int], token: str, now: float, until: float) -> set[int]:
    """Ids of those jobs that are held under `token`, now until `until`."""
    held: set[int] = set()
    for part in chunks(sorted(ids)):
        lease = {"some": part, "old_token": token, "now": now, "until": until}
        held.update(connection.execute(EXTEND, lease).scalars())
    return held


def write_lives(connection: Connection, lives: Mapping[int, Life]) -> None:
    """Put down what has changed of jobs."""
    WRITE.run(connection, [{"id": key, **as_columns(life)} for key, life in sorted(lives.items())])


UNTOLD = (
    select(jobs.c.id, func.row_number().over(order_by=jobs.c.id).label("place"))
    .where(IS_UNTOLD)
    .order_by(jobs.c.id)
    .limit(bindparam("most"))
    .subquery("untold")
)
NUMBER = (
    update(jobs)
    .where(jobs.c.id == UNTOLD.c.id, IS_UNTOLD)
    .values(answer=bindparam("base", type_=BigInteger) + UNTOLD.c.place)
)
ANY_UNTOLD = select(jobs.c.id).where(IS_UNTOLD).limit(1)
TOLD = (
    WITH_ORACLE.where(jobs.c.answer > bindparam("after"), jobs.c.answer.is_not(None))
    .order_by(jobs.c.answer)
    .limit(bindparam("most"))
)
ENDED_SINCE = (
    WITH_ORACLE.where(jobs.c.finished_at > bindparam("since"), jobs.c.finished_at.is_not(None))
    .order_by(jobs.c.finished_at.desc())
    .limit(bindparam("most"))
)
"""The latest ends."""
IS_OF = oracles.c.fingerprint == bindparam("oracle")
WITHOUT_VALUE = WITH_ORACLE.where(IS_WITHOUT_VALUE).order_by(jobs.c.id.desc())
STATES_OF_ALL = select(jobs.c.state, func.count().label("n")).group_by(jobs.c.state)


def number_answers(connection: Connection, base: int, most: int) -> int:
    """Give the next `most` ends that were never told the numbers after `base`; how many there were."""
    return connection.execute(NUMBER, {"base": base, "most": most}).rowcount


def any_untold(connection: Connection) -> bool:
    """Whether there is an end that was never told."""
    return connection.execute(ANY_UNTOLD).first() is not None


def told_answers(connection: Connection, after: int, limit: int, oracle: str | None) -> list[Answer]:
    """Ends with numbers greater than `after`."""
    asked = {"after": after, "most": limit}
    if oracle is None:
        return [as_answer(row) for row in connection.execute(TOLD, asked)]
    return [as_answer(row) for row in connection.execute(TOLD.where(IS_OF), {**asked, "oracle": oracle})]


def ends_without_value(connection: Connection, limit: int | None, oracle: str | None) -> Sequence[Any]:
    """The latest jobs that ended without a value."""
    wanted = WITHOUT_VALUE.limit(limit)
    if oracle is None:
        return connection.execute(wanted).all()
    return connection.execute(wanted.where(IS_OF), {"oracle": oracle}).all()


def latest_ends(connection: Connection, since: float, limit: int) -> list[Answer]:
    """What ended after a time, the latest first."""
    asked = {"since": since, "most": limit}
    return [as_answer(row) for row in connection.execute(ENDED_SINCE, asked)]


def state_counts(connection: Connection, oracle: int | None) -> dict[str, int]:
    """Number of jobs of each state."""
    if oracle is None:
        rows = connection.execute(STATES_OF_ALL)
    else:
        rows = connection.execute(STATES_OF_ALL.where(IS_MINE), {"oracle": oracle})
    found = {row.state: row.n for row in rows}
    return {state: found.get(state, 0) for state in STATES}


OLDEST = [select(func.min(jobs.c.id)).where(kind) for kind in UNANSWERED]
"""Ids grow with time, and are in the partial indexes."""


def oldest_waiting(connection: Connection) -> float | None:
    """When the first of the jobs without an answer was submitted; None if there is none."""
    ids = [key for one in OLDEST if (key := connection.execute(one).scalar_one()) is not None]
    if not ids:
        return None
    found = connection.execute(select(jobs.c.submitted_at).where(jobs.c.id == min(ids)))
    return float(found.scalar_one())


def as_life(row: Any) -> Life:
    """The changing part of a job out of a row with `LIFE`."""
    return Life(
        row.state, row.attempts, row.due, row.token, row.owner, row.leased_at, row.lease_until,
        None if row.result is None else json.loads(row.result), row.reason, row.seconds, row.finished_at,
        row.answer,
    )  # fmt: skip


def as_columns(life: Life) -> dict[str, Any]:
    """The columns of a job that may change."""
    columns = life._asdict()
    values = columns.pop("values")
    # What a tool wrote may hold halves of characters or NUL, which no database takes.
    reason = life.reason.encode("utf-8", "replace").decode().replace("\0", "?")
    result = None if values is None else json.dumps(values, allow_nan=False)
    return {**columns, "result": result, "reason": reason}


def as_answer(row: Any) -> Answer:
    """The end of a job out of a row of `WITH_ORACLE`."""
    values = {} if row.result is None else json.loads(row.result)
    return Answer(
        row.answer, row.fingerprint, row.text, row.state, values, row.reason, row.attempts, row.owner,
        row.seconds, row.submitted_at, row.finished_at,
    )  # fmt: skip
