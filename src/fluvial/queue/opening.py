"""Open a queue: make its tables, check them, bring older ones up to date."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from fluvial.core.errors import StorageError
from fluvial.queue import meta_statements as meta
from fluvial.queue.database import PATIENCE_SECONDS, Database, connect, path_of
from fluvial.queue.job_schema import VERSION, metadata
from fluvial.queue.jobs import Retries
from fluvial.queue.migrations import QUEUE_UPGRADES, Upgrades, upgrade
from fluvial.queue.sql_queue import SqlQueue
from fluvial.queue.sqlite_file import require_intact

ENDINGS = (".db", ".sqlite", ".sqlite3")
"""Of new files, so that a mistyped folder does not become one."""


def open_queue(
    place: str | Path,
    *,
    create: bool = True,
    retries: Retries | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> SqlQueue:
    """The queue at a path (of a file, or of the folder of a run) or a URL of PostgreSQL.

    Args:
        place: `runs/design`, `jobs.db` or `postgresql://USER@HOST/DATABASE`.
        create: make it if there is none.
        retries: how often and when jobs are tried again.
        patience_seconds: how long a server that restarts or a full disk is waited for.

    Raises:
        ConfigError: the place cannot be read.
        StorageError: there is none and `create` is false, it is damaged or of a newer version, its file
            would lie on a network file system, or the server cannot be reached.
    """
    path = path_of(place)
    if path is not None and not create and not path.is_file():
        raise StorageError(f"There is no queue at {path}. Check the path, or submit something first.")
    if path is not None and not path.is_file() and path.suffix not in ENDINGS:
        raise StorageError(
            f"There is no run and no queue at {path}. Check the path; a new file ends in {ENDINGS[0]}."
        )
    database = connect(place, patience_seconds=patience_seconds)
    try:
        prepare(database, create)
    except StorageError:
        database.close()
        raise
    return SqlQueue(database, retries)


def prepare(
    database: Database, create: bool = True, upgrades: Upgrades = QUEUE_UPGRADES, version: int = VERSION
) -> None:
    """Make, check or upgrade the tables in one transaction; older versions keep all they hold.

    Raises:
        StorageError: see `open_queue`.
    """
    database.run(lambda connection: _prepare(connection, database, create, upgrades, version), "durable")


def _prepare(
    connection: Connection, database: Database, create: bool, upgrades: Upgrades, version: int
) -> None:
    if database.is_sqlite:
        require_intact(connection, Path(database.name))
    else:
        meta.lock_schema(connection)
    tables = connection.dialect.has_table(connection, "queue_meta")
    if not tables and not create:
        raise StorageError(f"{database.name} holds no queue. Check the place, or submit something first.")
    if not tables and database.is_sqlite and meta.has_tables(connection):
        raise StorageError(f"{database.name} is a database of something else. Choose another file name.")
    if not tables:
        metadata.create_all(connection)
        meta.put_meta(connection, "queue_version", version)
        meta.put_meta(connection, "answers", 0)
        return
    found = meta.meta_value(connection, "queue_version")
    if found > version:
        raise StorageError(
            f"{database.name} has queue version {found}, and this Fluvial reads up to {version}. "
            "Update Fluvial."
        )
    if upgrade(connection, found, version, upgrades):
        meta.put_meta(connection, "queue_version", version)
