"""Every statement that the run store sends, one function each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, Table, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import sqlite

from fluvial.queue.schema import conditions, meta, metadata, metrics, objects, properties, samples, steps
from fluvial.queue.sql_parts import Bulk, chunks

REWARD = Bulk(objects, [objects.c.reward, objects.c.status, objects.c.reason], objects.c.id)


def has_meta(connection: Connection) -> bool:
    """Whether there is a table `meta`."""
    return connection.dialect.has_table(connection, "meta")


def meta_value(connection: Connection, name: str) -> int | None:
    """One entry of the table `meta`; None if it is missing."""
    return connection.execute(select(meta.c.value).where(meta.c.name == name)).scalar_one_or_none()


def put_meta(connection: Connection, name: str, value: int) -> None:
    """Set one entry of the table `meta`."""
    statement = sqlite.insert(meta).values(name=name, value=value)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}))


def last_step(connection: Connection) -> int:
    """The last recorded step, -1 before the first."""
    return int(connection.execute(select(meta.c.value).where(meta.c.name == "last_step")).scalar_one())


def limit_last_step(connection: Connection, step: int) -> None:
    """Lower the last recorded step to `step` if it is beyond."""
    entry = (meta.c.name == "last_step") & (meta.c.value > step)
    connection.execute(update(meta).where(entry).values(value=step))


def ids_of(connection: Connection, texts: Sequence[str]) -> dict[str, int]:
    """Row id of each text that is in the store."""
    statement = select(objects.c.text, objects.c.id).where(
        objects.c.text.in_(bindparam("some", expanding=True))
    )
    return {
        row.text: row.id for part in chunks(texts) for row in connection.execute(statement, {"some": part})
    }


def last_object_id(connection: Connection) -> int:
    """The largest row id of an object, 0 if there is none."""
    return int(connection.execute(select(func.coalesce(func.max(objects.c.id), 0))).scalar_one())


def insert_objects(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Add objects with their row ids."""
    if rows:
        connection.execute(insert(objects), rows)


def insert_properties(
    connection: Connection, values: Iterable[tuple[int, Mapping[str, float | None]]]
) -> None:
    """Add the properties of each row id; a value that is not finite is stored as missing."""
    rows = [
        {"object_id": object_id, "name": name, "value": _finite(value)}
        for object_id, named in values
        for name, value in named.items()
    ]
    if rows:
        connection.execute(insert(properties), rows)


def insert_samples(connection: Connection, step: int, counts: Mapping[tuple[int, int, int], int]) -> None:
    """Add how often `step` sampled each row id, by number of the condition and version of the policy."""
    if counts:
        rows = [
            {"step": step, "object_id": key, "condition": number, "policy_version": policy, "count": count}
            for (key, number, policy), count in counts.items()
        ]
        connection.execute(insert(samples), rows)


def insert_conditions(connection: Connection, step: int, numbered: Sequence[Mapping[str, float]]) -> None:
    """Add the conditions of `step`, numbered as they come."""
    rows = [
        {"step": step, "number": number, "name": name, "value": _finite(value)}
        for number, named in enumerate(numbered)
        for name, value in named.items()
    ]
    if rows:
        connection.execute(insert(conditions), rows)


def insert_time(connection: Connection, step: int, time: float) -> None:
    """Add when `step` was recorded, in seconds since 1970."""
    connection.execute(insert(steps).values(step=step, time=time))


def insert_metrics(connection: Connection, step: int, values: Mapping[str, float]) -> None:
    """Add the metrics of `step`; nan is stored as missing."""
    if values:
        rows = [{"step": step, "name": name, "value": float(value)} for name, value in values.items()]
        connection.execute(insert(metrics), rows)


def delete_after(connection: Connection, step: int) -> None:
    """Remove everything that was first recorded in a later step than `step`."""
    late = select(objects.c.id).where(objects.c.first_step > step)
    connection.execute(delete(metrics).where(metrics.c.step > step))
    for table in (samples, conditions, steps):
        connection.execute(delete(table).where(table.c.step > step))
    connection.execute(delete(properties).where(properties.c.object_id.in_(late)))
    connection.execute(delete(objects).where(objects.c.first_step > step))


def object_rows(connection: Connection, texts: Sequence[str]) -> dict[str, Any]:
    """Id, reward, status and reason of each text that is in the store."""
    statement = select(objects).where(objects.c.text.in_(bindparam("some", expanding=True)))
    return {row.text: row for part in chunks(texts) for row in connection.execute(statement, {"some": part})}


def properties_of(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, float | None]]:
    """Properties of the objects with the given row ids."""
    statement = select(properties).where(properties.c.object_id.in_(bindparam("some", expanding=True)))
    found: dict[int, dict[str, float | None]] = {}
    for part in chunks(ids):
        _collect(found, connection.execute(statement, {"some": part}))
    return found


def objects_after(connection: Connection, last: int, limit: int) -> Sequence[Any]:
    """At most `limit` objects with row ids greater than `last`, in order."""
    statement = select(objects).where(objects.c.id > last).order_by(objects.c.id).limit(limit)
    return connection.execute(statement).all()


def update_rewards(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put `reward`, `status` and `reason` into the objects with the row ids `id`."""
    REWARD.run(connection, rows)


def ranked_objects(connection: Connection, limit: int | None) -> Sequence[Any]:
    """The best `limit` objects (all if None): reward descending, then text; those without reward last."""
    return connection.execute(_ranked(limit)).all()


def ranked_properties(connection: Connection, limit: int | None) -> dict[int, dict[str, float | None]]:
    """Properties of the best `limit` objects (all if None)."""
    statement = select(properties)
    if limit is not None:
        statement = statement.where(properties.c.object_id.in_(select(_ranked(limit).subquery().c.id)))
    found: dict[int, dict[str, float | None]] = {}
    _collect(found, connection.execute(statement))
    return found


def ranked_sample_counts(connection: Connection, limit: int | None) -> dict[int, int]:
    """How often each of the best `limit` objects (all if None) was sampled."""
    statement = select(samples.c.object_id, func.sum(samples.c.count)).group_by(samples.c.object_id)
    if limit is not None:
        statement = statement.where(samples.c.object_id.in_(select(_ranked(limit).subquery().c.id)))
    return {object_id: int(total) for object_id, total in connection.execute(statement)}


def times(connection: Connection) -> dict[int, float]:
    """When each step was recorded, in seconds since 1970, in order of steps."""
    return {row.step: row.time for row in connection.execute(select(steps).order_by(steps.c.step))}


def condition_rows(connection: Connection, since: int) -> Iterator[tuple[int, int, str, float | None]]:
    """Step, number, name and value of all conditions from the step `since` on."""
    statement = select(conditions).where(conditions.c.step >= since)
    for row in connection.execute(statement.order_by(*conditions.primary_key.columns)):
        yield row.step, row.number, row.name, row.value


def sample_rows(connection: Connection, since: int) -> Iterator[Any]:
    """All samples from the step `since` on, with the text, reward and status of each."""
    statement = (
        select(
            samples.c.step,
            samples.c.condition,
            objects.c.text,
            objects.c.reward,
            objects.c.status,
            samples.c.count,
            samples.c.policy_version,
        )
        .join(objects, objects.c.id == samples.c.object_id)
        .where(samples.c.step >= since)
        .order_by(samples.c.step, samples.c.condition, samples.c.object_id, samples.c.policy_version)
    )
    yield from connection.execute(statement)


def property_names(connection: Connection) -> list[str]:
    """All names of properties, sorted."""
    return list(
        connection.execute(select(properties.c.name).distinct().order_by(properties.c.name)).scalars()
    )


def metric_names(connection: Connection) -> list[str]:
    """All names of metrics, sorted."""
    return list(connection.execute(select(metrics.c.name).distinct().order_by(metrics.c.name)).scalars())


def metric_rows(connection: Connection, names: Sequence[str]) -> Iterator[tuple[str, int, float]]:
    """Name, step and value of the named metrics in order of steps; nan where the value is missing."""
    statement = select(metrics.c.name, metrics.c.step, metrics.c.value).where(metrics.c.name.in_(names))
    for name, step, value in connection.execute(statement.order_by(metrics.c.step)):
        yield name, step, math.nan if value is None else value


def first_rewarded(connection: Connection, n: int) -> Sequence[Any]:
    """Text and reward of the `n` objects with status 'ok' that were recorded first."""
    statement = select(objects.c.text, objects.c.reward).where(objects.c.status == "ok")
    return connection.execute(statement.order_by(objects.c.id).limit(n)).all()


def status_counts(connection: Connection) -> dict[str, int]:
    """Number of objects of each status that occurs."""
    statement = select(objects.c.status, func.count().label("n")).group_by(objects.c.status)
    return {row.status: row.n for row in connection.execute(statement)}


def total_samples(connection: Connection) -> int:
    """Number of all samples, repeats included."""
    return int(connection.execute(select(func.coalesce(func.sum(samples.c.count), 0))).scalar_one())


def all_rows(connection: Connection) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Table name and content of every row, times left out, each table in order of its primary key."""
    timeless = [table for table in metadata.tables.values() if table is not steps]
    for table in sorted(timeless, key=lambda table: table.name):
        for row in connection.execute(_ordered(table)):
            yield table.name, tuple(row)


def _ranked(limit: int | None) -> Select[Any]:
    return select(objects).order_by(objects.c.reward.desc().nulls_last(), objects.c.text).limit(limit)


def _ordered(table: Table) -> Select[Any]:
    return select(table).order_by(*table.primary_key.columns)


def _collect(found: dict[int, dict[str, float | None]], rows: Iterable[Any]) -> None:
    for object_id, name, value in rows:
        found.setdefault(object_id, {})[name] = value


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
