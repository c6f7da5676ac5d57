"""Small pieces of SQL that the run store and the queue share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Table, bindparam, column, func, insert, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import ARRAY

CHUNK = 500
"""Values in one IN list; SQLite builds of before 2020 allow 999 parameters."""


def chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Parts of at most `CHUNK`."""
    return (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))


def quoted(names: tuple[str, ...]) -> str:
    """Names of ours as a list of SQL texts."""
    return ", ".join(f"'{name}'" for name in names)


class Bulk:
    """An insert, or with a `key` an update, of many rows at once, compiled once.

    SQLAlchemy itself would look at each value of each row, which takes longer than SQLite does. PostgreSQL
    gets one statement with an array for each column, because one for each row takes it twice as long.

    Args:
        table: what is written.
        columns: those that are given, without the key.
        key: which row is updated; None to insert.
    """

    def __init__(self, table: Table, columns: Sequence[Column[Any]], key: Column[Any] | None = None) -> None:
        self._names = [column.name for column in (*columns, *(() if key is None else (key,)))]
        bound: dict[str, Any] = {name: bindparam(f"given_{name}") for name in self._names}
        compiled = _written(table, columns, key, bound).compile(dialect=sqlite.dialect())
        self._one_by_one = str(compiled)
        self._in_order = [name.removeprefix("given_") for name in compiled.positiontup]
        kinds = {name: table.c[name].type for name in self._names}
        given = (
            func.unnest(*(bindparam(f"given_{name}", type_=ARRAY(kind)) for name, kind in kinds.items()))
            .table_valued(*(column(name, kind) for name, kind in kinds.items()), name="given")
            .render_derived()
        )
        self._at_once = _written(table, columns, key, given.c, given)

    def run(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows, each with a value for every column by name."""
        if not rows:
            return
        if connection.dialect.name == "sqlite":
            given = [tuple(row[name] for name in self._in_order) for row in rows]
            connection.exec_driver_sql(self._one_by_one, given)
            return
        connection.execute(
            self._at_once, {f"given_{name}": [row[name] for row in rows] for name in self._names}
        )


def _written(
    table: Table, columns: Sequence[Column[Any]], key: Column[Any] | None, given: Any, source: Any = None
) -> Any:
    """An insert or update with the values `given` by name, from `source` if they are a table."""
    values = {column: given[column.name] for column in columns}
    if key is not None:
        return update(table).where(key == given[key.name]).values(values)
    if source is None:
        return insert(table).values(values)
    return insert(table).from_select([column.name for column in columns], select(*values.values()))
