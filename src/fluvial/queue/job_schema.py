"""Tables of the queue, version 1; the same in SQLite and PostgreSQL.

Nothing is ever deleted: a job that has ended is the answer that later runs find.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
)

from fluvial.queue.jobs import FINISHED, STATES
from fluvial.queue.sql_parts import quoted

VERSION = 1
"""Version of the layout below; a queue with a larger number is refused, one with a smaller one upgraded."""

metadata = MetaData()
LARGE = BigInteger().with_variant(Integer, "sqlite")


queue_meta = Table(
    "queue_meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LARGE, nullable=False),
)
"""The version of the layout, switches, and counters."""

oracles = Table(
    "oracles",
    metadata,
    Column("id", LARGE, primary_key=True, autoincrement=True),
    Column("fingerprint", Text, nullable=False, unique=True),
    Column("description", Text, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    # AUTOINCREMENT, because SQLite would else give the number of a deleted row to another job.
    Column("id", LARGE, primary_key=True, autoincrement=True),
    Column("oracle_id", ForeignKey("oracles.id"), nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("text", Text, nullable=False),
    Column("priority", Double, nullable=False),
    Column("submitted_at", Double, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due", Double),
    Column("token", Text),
    Column("owner", Text, nullable=False),
    Column("leased_at", Double),
    Column("lease_until", Double),
    Column("result", Text),
    Column("reason", Text, nullable=False),
    Column("seconds", Double),
    Column("finished_at", Double),
    Column("answer", LARGE),
    UniqueConstraint("oracle_id", "key", name="one_job_for_each_object"),
    CheckConstraint(f"state IN ({quoted(STATES)})", name="state_is_known"),
    CheckConstraint("attempts >= 0", name="attempts_are_counted"),
    CheckConstraint("(state = 'done') = (result IS NOT NULL)", name="done_has_a_result"),
    CheckConstraint(
        "(state = 'leased') = (token IS NOT NULL AND leased_at IS NOT NULL AND lease_until IS NOT NULL)",
        name="leased_has_a_lease",
    ),
    CheckConstraint(f"(state IN ({quoted(FINISHED)})) = (finished_at IS NOT NULL)", name="ended_has_a_time"),
    CheckConstraint("finished_at IS NOT NULL OR answer IS NULL", name="only_ends_are_told"),
    sqlite_autoincrement=True,
)

# Written into the statement, not bound: a database uses a partial index only if it can read the condition.
IS_FRESH = (jobs.c.state == literal_column("'ready'")) & (jobs.c.attempts == literal_column("0"))
IS_RETRY = (jobs.c.state == literal_column("'ready'")) & (jobs.c.attempts > literal_column("0"))
IS_LEASED = jobs.c.state == literal_column("'leased'")
IS_FINISHED = jobs.c.state.in_([literal_column(f"'{state}'") for state in FINISHED])
IS_UNTOLD = IS_FINISHED & jobs.c.answer.is_(None)
IS_WITHOUT_VALUE = jobs.c.state.in_([literal_column("'failed'"), literal_column("'dead'")])

INDEXES = {
    "jobs_fresh": ((jobs.c.oracle_id, jobs.c.priority.desc(), jobs.c.id), IS_FRESH),
    "jobs_retry": ((jobs.c.oracle_id, jobs.c.due, jobs.c.id), IS_RETRY),
    "jobs_leased": ((jobs.c.oracle_id, jobs.c.lease_until), IS_LEASED),
    "jobs_untold": ((jobs.c.id,), IS_UNTOLD),
    "jobs_answer": ((jobs.c.answer,), jobs.c.answer.is_not(None)),
    "jobs_finished": ((jobs.c.finished_at,), jobs.c.finished_at.is_not(None)),
    "jobs_without_value": ((jobs.c.id,), IS_WITHOUT_VALUE),
}
for _name, (_columns, _condition) in INDEXES.items():
    Index(
        _name,
        *_columns,
        unique=_name == "jobs_answer",
        sqlite_where=_condition,
        postgresql_where=_condition,
    )

workers = Table(
    "workers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("oracle", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("n_values", LARGE, nullable=False),
    Column("n_failures", LARGE, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
)
