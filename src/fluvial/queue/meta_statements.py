"""Statements of the queue about all but jobs: counters, switches, oracles, workers, the database itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, bindparam, extract, func, insert, inspect, select
from sqlalchemy.dialects import postgresql, sqlite

from fluvial.queue.job_schema import oracles, queue_meta, workers
from fluvial.queue.jobs import WorkerState

INSERTS: Mapping[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
"""Dialect to an `insert` that knows conflicts."""


TIME = select(extract("epoch", func.clock_timestamp()))


def _meta_upserts(raised: Any) -> dict[str, Any]:
    """Dialect to the statement that adds an entry of `queue_meta`, or sets it to `raised`."""
    values: dict[str, Any] = {"name": bindparam("meta_name"), "value": bindparam("meta_value")}
    return {
        dialect: make(queue_meta)
        .values(**values)
        .on_conflict_do_update(index_elements=["name"], set_={"value": raised})
        for dialect, make in INSERTS.items()
    }


PUT_META = _meta_upserts(bindparam("meta_value"))
ADD_META = _meta_upserts(queue_meta.c.value + bindparam("meta_value"))
META = select(queue_meta.c.value).where(queue_meta.c.name == bindparam("meta_name"))
LOCKED_META = META.with_for_update()
ALL_META = select(queue_meta)


def put_meta(connection: Connection, name: str, value: int) -> None:
    """Set an entry of `queue_meta`."""
    connection.execute(PUT_META[connection.dialect.name], {"meta_name": name, "meta_value": value})


def add_meta(connection: Connection, name: str, count: int) -> None:
    """Raise an entry of `queue_meta` by `count`."""
    if count:
        connection.execute(ADD_META[connection.dialect.name], {"meta_name": name, "meta_value": count})


def meta_value(connection: Connection, name: str) -> int:
    """An entry of `queue_meta`, 0 if it is missing."""
    return int(connection.execute(META, {"meta_name": name}).scalar_one_or_none() or 0)


def meta_values(connection: Connection) -> dict[str, int]:
    """All entries of `queue_meta`."""
    return {row.name: row.value for row in connection.execute(ALL_META)}


def locked_meta(connection: Connection, name: str) -> int:
    """An existing entry of `queue_meta`, which nobody else can change until the transaction ends."""
    return int(connection.execute(LOCKED_META, {"meta_name": name}).scalar_one())


ALL_ORACLES = select(oracles).order_by(oracles.c.id)
ORACLE_ID = select(oracles.c.id).where(oracles.c.fingerprint == bindparam("oracle"))


def oracle_rows(connection: Connection) -> Sequence[Any]:
    """All oracles."""
    return connection.execute(ALL_ORACLES).all()


def oracle_id(connection: Connection, fingerprint: str) -> int | None:
    """Row id of an oracle."""
    return connection.execute(ORACLE_ID, {"oracle": fingerprint}).scalar_one_or_none()


def add_oracle(connection: Connection, fingerprint: str, description: str) -> int:
    """Row id of an oracle, which is added if it is new; nobody else may add one meanwhile."""
    found = oracle_id(connection, fingerprint)
    if found is not None:
        return found
    connection.execute(insert(oracles), {"fingerprint": fingerprint, "description": description})
    return int(connection.execute(ORACLE_ID, {"oracle": fingerprint}).scalar_one())


def put_worker(connection: Connection, worker: WorkerState) -> None:
    """Remember a worker."""
    values = asdict(worker)
    statement = INSERTS[connection.dialect.name](workers).values(**values)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))


def worker_rows(connection: Connection) -> Sequence[Any]:
    """All workers, the latest seen first."""
    return connection.execute(select(workers).order_by(workers.c.seen_at.desc(), workers.c.name)).all()


def has_tables(connection: Connection) -> bool:
    """Whether the database holds any table."""
    return bool(inspect(connection).get_table_names())


def lock_schema(connection: Connection) -> None:
    """Let nobody else make or upgrade the tables until the transaction ends (PostgreSQL)."""
    connection.execute(select(func.pg_advisory_xact_lock(0x666C7576)))
