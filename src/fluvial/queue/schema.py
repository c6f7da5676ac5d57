"""Tables of the run store, version 3.

Properties are kept one row per value, clustered by object: a new property name needs no migration, the table
can be read with plain SQL, and one ordered scan gives all values of all objects. Conditions are kept alike.
"""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)

from fluvial.queue.records import REWARDED, STATUSES
from fluvial.queue.sql_parts import quoted

VERSION = 3
"""Version of the layout below; a larger number is refused, a smaller one is upgraded (`migrations.py`)."""

metadata = MetaData()


meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Integer, nullable=False),
    sqlite_with_rowid=False,
)

objects = Table(
    "objects",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("text", Text, nullable=False, unique=True),
    Column("first_step", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("reward", Double),
    Column("reason", Text, nullable=False),
    CheckConstraint(f"status IN ({quoted(STATUSES)})", name="status_is_known"),
    # SQLite turns nan into NULL, so the first line catches nan and the second one infinity and text.
    CheckConstraint(f"(status IN ({quoted(REWARDED)})) = (reward IS NOT NULL)", name="reward_fits_status"),
    CheckConstraint(
        "reward IS NULL OR (typeof(reward) = 'real' AND abs(reward) <= 1.7976931348623157e308)",
        name="reward_is_finite",
    ),
)

properties = Table(
    "properties",
    metadata,
    Column("object_id", ForeignKey("objects.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Double),
    sqlite_with_rowid=False,
)

steps = Table(
    "steps",
    metadata,
    Column("step", Integer, primary_key=True),
    # Seconds since 1970 (UTC) when the step was recorded.
    Column("time", Double, nullable=False),
    sqlite_with_rowid=False,
)

conditions = Table(
    "conditions",
    metadata,
    Column("step", Integer, primary_key=True),
    # Place among the different conditions of the step, from 0.
    Column("number", Integer, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Double),
    sqlite_with_rowid=False,
)

samples = Table(
    "samples",
    metadata,
    Column("step", Integer, primary_key=True),
    Column("object_id", ForeignKey("objects.id"), primary_key=True),
    # `number` in `conditions`; one without rows there has nothing to say.
    Column("condition", Integer, primary_key=True),
    # Updates that the policy which made it had seen; -1 where that was not recorded.
    Column("policy_version", Integer, primary_key=True),
    Column("count", Integer, nullable=False),
    CheckConstraint("count > 0", name="count_is_positive"),
    # Serves the sums over steps, and the foreign key check when objects are rolled back.
    Index("samples_by_object", "object_id", "count"),
    sqlite_with_rowid=False,
)

metrics = Table(
    "metrics",
    metadata,
    Column("step", Integer, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Double),
    sqlite_with_rowid=False,
)
