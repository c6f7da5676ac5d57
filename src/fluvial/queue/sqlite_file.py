"""One SQLite file: how it is opened, where it may lie, and its errors as sentences."""

from __future__ import annotations

import os
import re
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from fluvial.core.errors import StorageError

Mode = Literal["read", "write", "durable"]

NETWORK_FILESYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "lustre", "gpfs", "fuse.sshfs", "beegfs"}
)
"""Types on which SQLite's locks and shared memory cannot be trusted (sqlite.org/wal.html)."""

LOCAL_DISK = "Choose a folder on a local disk of this machine, and copy the run afterwards."

CONNECT = (
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cell_size_check=ON",
    "PRAGMA foreign_keys=ON",
    # Sixteen megabytes of log before it is folded into the file, so that pages that change often are written
    # once for many transactions.
    "PRAGMA wal_autocheckpoint=4000",
)
WRITE_AHEAD = "PRAGMA journal_mode=WAL"
LOG = "-wal"
"""Ending of SQLite's write-ahead log beside its file."""

BEGIN: dict[Mode, tuple[str, ...]] = {
    "read": ("BEGIN",),
    # Taking the write lock at once avoids the upgrade from a read lock, which no waiting time can resolve.
    "write": ("PRAGMA synchronous=NORMAL", "BEGIN IMMEDIATE"),
    "durable": ("PRAGMA synchronous=FULL", "BEGIN IMMEDIATE"),
}
BEGIN_LOGGED = BEGIN | {"durable": BEGIN["write"]}
"""The same where there is a write-ahead log, which `sync_log` brings to the disk after the transaction."""

REMEDIES = (
    (
        "SQLITE_FULL",
        "no room is left on its disk. Free some space or raise the quota; what was recorded before is kept.",
    ),
    (
        "SQLITE_READONLY",
        "it or its folder is read-only. Change the permissions, or copy the run to a writable folder.",
    ),
    ("SQLITE_PERM", "access was refused. Change the permissions, or copy the run to a writable folder."),
    ("SQLITE_BUSY", "another process keeps it locked. Stop that process, then try again; nothing was lost."),
    (
        "SQLITE_LOCKED",
        "another process keeps it locked. Stop that process, then try again; nothing was lost.",
    ),
    ("SQLITE_CANTOPEN", "it cannot be opened. Check that it exists and that you may write to its folder."),
    (
        "SQLITE_IOERR",
        "its disk reports an error. Check the disk and the system log; what was recorded before is kept.",
    ),
)
"""Start of SQLite's name for an error, and what to tell the user of it."""


def open_engine(path: Path, busy_timeout_seconds: float) -> Engine:
    """An engine on the file at `path`, which waits up to `busy_timeout_seconds` for other writers.

    A transaction is a snapshot for reading unless its connection has the execution option `mode`.
    """
    url = URL.create("sqlite", database=str(path))
    engine = create_engine(url, connect_args={"timeout": busy_timeout_seconds})

    @event.listens_for(engine, "connect")
    def connect(connection: sqlite3.Connection, record: Any) -> None:
        # Python's own transaction handling would start transactions late and never for reading.
        connection.isolation_level = None
        for statement in CONNECT:
            connection.execute(statement)
        record.info["logged"] = connection.execute(WRITE_AHEAD).fetchone() == ("wal",)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        statements = BEGIN_LOGGED if connection.info["logged"] else BEGIN
        for statement in statements[connection.get_execution_options().get("mode", "read")]:
            connection.exec_driver_sql(statement)

    return engine


def sync_log(path: Path) -> None:
    """Have everything that was committed to the file at `path` on its disk.

    SQLite itself would wait for the disk (synchronous=FULL) while it holds the lock for writing. Waiting
    after it was let go is as durable, because a transaction is whole once its part of the write-ahead log is
    on the disk, and whoever copies the log into the file syncs it first. Meanwhile others write, and the
    system serves all who wait with one flush.

    Raises:
        StorageError: the disk reports an error.
    """
    try:
        descriptor = os.open(f"{path}{LOG}", os.O_RDONLY)
    except FileNotFoundError:
        return  # nothing is logged: it was folded into the file, which synced both
    try:
        getattr(os, "fdatasync", os.fsync)(descriptor)
    except OSError as error:
        raise StorageError(
            f"{path}: its disk reports an error ({error}). Check the disk and the system log; what was "
            "recorded before is kept."
        ) from error
    finally:
        os.close(descriptor)


@contextmanager
def transaction(engine: Engine, path: Path, mode: Mode = "read") -> Iterator[Connection]:
    """A connection whose work is committed at the end, or rolled back as a whole if anything fails.

    Raises:
        StorageError: SQLite reports an error; the message names `path` and the remedy.
    """
    try:
        with engine.execution_options(mode=mode).begin() as connection:
            yield connection
    except DBAPIError as error:
        raise storage_error(error, path) from error
    if mode == "durable":
        sync_log(path)


def storage_error(error: DBAPIError, path: Path) -> StorageError:
    """What to tell the user of a database error in the file at `path`."""
    name = getattr(error.orig, "sqlite_errorname", "")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return damaged(path, str(error.orig))
    for start, remedy in REMEDIES:
        if name.startswith(start):
            return StorageError(f"{path}: {remedy} (SQLite: {error.orig})")
    return StorageError(f"{path}: the database refused an operation: {error.orig}")


def require_intact(connection: Connection, path: Path) -> None:
    """Have SQLite look through the file at `path`.

    Raises:
        StorageError: it found damage.
    """
    finding = str(connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one())
    if finding != "ok":
        raise damaged(path, finding)


def damaged(path: Path, finding: str) -> StorageError:
    """The error for a file whose content is broken, with the command that saves what can be saved."""
    source, rescued = shlex.quote(str(path)), shlex.quote(str(path.with_name("recovered.db")))
    return StorageError(
        f"{path} is damaged ({' '.join(finding.split())}). Keep it; restore a backup, or save what is "
        f"readable with: sqlite3 {source} .recover | sqlite3 {rescued} "
        "(some Linux packages of sqlite3 lack .recover; the one of sqlite.org has it)."
    )


def refuse_network_filesystem(
    path: Path, mounts: Path = Path("/proc/mounts"), remedy: str = LOCAL_DISK
) -> None:
    """Check that `path` is on a local disk, as far as `mounts` tells; `remedy` ends the error.

    Raises:
        StorageError: `path` is on a network file system, where SQLite can lose data.
    """
    kind = filesystem_type(path, mounts)
    if kind in NETWORK_FILESYSTEMS:
        raise StorageError(
            f"{path} is on a network file system ({kind}), where SQLite can lose data. {remedy}"
        )


def filesystem_type(path: Path, mounts: Path = Path("/proc/mounts")) -> str | None:
    """Type of the file system that holds `path` (e.g. 'ext4'); None where `mounts` cannot be read."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    resolved = path.resolve()
    found: tuple[int, str] | None = None
    for fields in (line.split() for line in lines):
        point = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[1]))
        # The later one of two mounts on the same point hides the earlier one.
        if resolved.is_relative_to(point) and (found is None or len(point.parts) >= found[0]):
            found = (len(point.parts), fields[2])
    return found[1] if found else None
