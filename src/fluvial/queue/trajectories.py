"""The trajectories that a run may learn from again, in one SQLite file: a row of some bytes for each.

Rows have dense numbers from 0 in the order in which they came, and are never changed but by `rewrite` and
`truncate`. What draws from them keeps a copy that it can make again at any time.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Double, Integer, LargeBinary, MetaData, Table, Text, insert, select
from sqlalchemy.exc import DBAPIError

from fluvial.core.errors import StorageError
from fluvial.queue.sql_parts import Bulk
from fluvial.queue.sqlite_file import (
    open_engine,
    refuse_network_filesystem,
    storage_error,
    sync_log,
    transaction,
)

VERSION = 1
"""Of the layout below; a larger number is refused."""
BUSY_TIMEOUT_SECONDS = 30.0
READ_AT_ONCE = 500
"""Rows. Measured: 50,000 take three times as long, because Python's collector of garbage goes over them."""

metadata = MetaData()

about = Table(
    "about",
    metadata,
    Column("version", Integer, nullable=False),
    # Tells copies of this file from those of another one.
    Column("identity", Text, nullable=False),
    # What numbers of actions mean: those of another environment are refused.
    Column("environment", Text, nullable=False),
)
trajectories = Table(
    "trajectories",
    metadata,
    Column("number", Integer, primary_key=True),
    # Canonical identity of the object.
    Column("key", Integer, nullable=False),
    # Training step at which it was made: the version of the policy.
    Column("born", Integer, nullable=False),
    Column("reward", Double, nullable=False),
    # float64, little-endian, one for each term of the reward.
    Column("terms", LargeBinary, nullable=False),
    # Numbers of actions, unsigned and little-endian, as wide as `environment` says.
    Column("actions", LargeBinary, nullable=False),
)

ADD = Bulk(trajectories, list(trajectories.c))
REWRITE = Bulk(trajectories, [trajectories.c.reward, trajectories.c.terms], trajectories.c.number)
READ = (
    "SELECT key, born, reward, terms, actions FROM trajectories WHERE number >= ? AND number < ?"
    " ORDER BY number"
)


class TrajectoryTable:
    """An open file of trajectories.

    All methods raise StorageError if the disk is full, the file is locked, read-only or damaged; then the
    transaction as a whole did not happen.

    Args:
        path: of the file, which is made if it is not there.
        environment: what numbers of actions mean.

    Raises:
        StorageError: it is damaged, of a newer version, of another environment, or no such file.
    """

    def __init__(self, path: Path, environment: str) -> None:
        refuse_network_filesystem(path)
        self.path = path
        self._engine = open_engine(path, BUSY_TIMEOUT_SECONDS)
        try:
            with transaction(self._engine, path, "durable") as connection:
                if not connection.dialect.has_table(connection, "about"):
                    metadata.create_all(connection)
                    connection.execute(
                        insert(about),
                        {"version": VERSION, "identity": uuid.uuid4().hex, "environment": environment},
                    )
                found = connection.execute(select(about)).one()
        except StorageError:
            self.close()
            raise
        self.identity = str(found.identity)
        if found.version > VERSION or found.environment != environment:
            self.close()
            raise _other(path, found, environment)

    def count(self) -> int:
        """Number of rows, and of the next one."""
        with transaction(self._engine, self.path) as connection:
            last = connection.exec_driver_sql("SELECT max(number) FROM trajectories").scalar_one()
        return 0 if last is None else int(last) + 1

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows, each with its number and all columns, in one transaction."""
        with transaction(self._engine, self.path, "write") as connection:
            ADD.run(connection, rows)

    def read(self, start: int, stop: int) -> Iterator[Sequence[Any]]:
        """The rows from number `start` to before `stop` in order, as (key, born, reward, terms, actions)."""
        with transaction(self._engine, self.path) as connection:
            # Rows of SQLAlchemy take twice as long as SQLite does.
            cursor = connection.connection.cursor()
            try:
                cursor.execute(READ, (start, stop))
                while rows := cursor.fetchmany(READ_AT_ONCE):
                    yield rows
            except sqlite3.Error as error:
                raise storage_error(DBAPIError(READ, None, error), self.path) from error
            finally:
                cursor.close()

    def rewrite(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Put another `reward` and `terms` into the rows of given `number`, in one transaction."""
        with transaction(self._engine, self.path, "write") as connection:
            REWRITE.run(connection, rows)

    def truncate(self, count: int) -> None:
        """Keep the first `count` rows."""
        with transaction(self._engine, self.path, "durable") as connection:
            connection.exec_driver_sql("DELETE FROM trajectories WHERE number >= ?", (count,))

    def sync(self) -> None:
        """Have everything on the disk."""
        sync_log(self.path)

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()


def _other(path: Path, found: Any, environment: str) -> StorageError:
    if found.version > VERSION:
        return StorageError(
            f"{path} has version {found.version}, and this Fluvial reads up to {VERSION}. Update Fluvial."
        )
    return StorageError(
        f"{path} holds trajectories of another environment ({found.environment}, and this one is"
        f" {environment}). Choose another folder."
    )
