from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from fluvial.core.errors import StorageError
from fluvial.queue import sqlite_file
from fluvial.queue.jobs import Oracle
from fluvial.queue.opening import open_queue
from fluvial.queue.sqlite_file import filesystem_type, open_engine, refuse_network_filesystem, transaction
from fluvial.queue.store import Store


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    table = tmp_path / "mounts"
    table.write_text(
        "/dev/sda / ext4 rw 0 0\n"
        "server:/home /home nfs4 rw 0 0\n"
        "tmpfs /home/ada/fast tmpfs rw 0 0\n"
        "//server/share /mnt/my\\040share cifs rw 0 0\n"
        "tmpfs /scratch tmpfs rw 0 0\n"
        "scratch@o2ib:/fs /scratch lustre rw 0 0\n"
    )
    return table


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/data/run/store.db", "ext4"),
        ("/home/ada/store.db", "nfs4"),
        ("/homework/store.db", "ext4"),
        ("/home/ada/fast/run/store.db", "tmpfs"),
        ("/mnt/my share/store.db", "cifs"),
        ("/scratch/run/store.db", "lustre"),
    ],
)
def test_the_innermost_and_latest_mount_counts(mounts: Path, path: str, kind: str) -> None:
    assert filesystem_type(Path(path), mounts) == kind


@pytest.mark.parametrize("path", ["/home/ada/store.db", "/mnt/my share/store.db", "/scratch/x"])
def test_network_file_systems_are_refused(mounts: Path, path: str) -> None:
    with pytest.raises(StorageError, match=r"is on a network file system .* Choose a folder on a local disk"):
        refuse_network_filesystem(Path(path), mounts)


def test_local_disks_and_systems_without_a_table_pass(mounts: Path, tmp_path: Path) -> None:
    refuse_network_filesystem(Path("/data/run"), mounts)
    refuse_network_filesystem(Path("/home/ada"), tmp_path / "no table")


def test_a_store_is_neither_created_nor_opened_on_a_network_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store.create(tmp_path / "store.db").close()
    monkeypatch.setattr(sqlite_file, "filesystem_type", lambda path, mounts: "beegfs")
    with pytest.raises(StorageError, match="beegfs"):
        Store.open(tmp_path / "store.db")
    with pytest.raises(StorageError, match="beegfs"):
        Store.create(tmp_path / "other.db")
    assert not (tmp_path / "other.db").exists()


@pytest.mark.parametrize(("mode", "synchronous"), [("write", 1), ("durable", 1), ("read", 2)])
def test_pragmas(tmp_path: Path, mode: sqlite_file.Mode, synchronous: int) -> None:
    path = tmp_path / "file.db"
    engine = open_engine(path, 30.0)
    with transaction(engine, path, mode) as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys", "trusted_schema")
        }
    engine.dispose()
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": synchronous,
        "busy_timeout": 30000,
        "foreign_keys": 1,
        "trusted_schema": 0,
    }


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("SQLITE_FULL", "no room is left"),
        ("SQLITE_READONLY_DBMOVED", "read-only"),
        ("SQLITE_BUSY_SNAPSHOT", "another process keeps it locked"),
        ("SQLITE_IOERR_FSYNC", "disk reports an error"),
        ("SQLITE_CORRUPT_INDEX", r"is damaged .* \.recover"),
        ("SQLITE_NOTADB", r"is damaged .* \.recover"),
        ("SQLITE_MISUSE", "refused an operation"),
    ],
)
def test_errors_name_the_file_and_the_remedy(tmp_path: Path, name: str, words: str) -> None:
    cause = sqlite3.OperationalError("as SQLite says it")
    cause.sqlite_errorname = name
    path = tmp_path / "file.db"
    engine = open_engine(path, 1.0)
    with pytest.raises(StorageError, match=f"(?s)file.db.*{words}") as caught, transaction(engine, path):
        raise OperationalError("statement", None, cause)
    assert "as SQLite says it" in str(caught.value)
    engine.dispose()


def test_the_store_needs_no_torch() -> None:
    program = "import sys, fluvial.queue.store; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_what_was_committed_is_synced_after_the_lock_was_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.db"
    engine = open_engine(path, 0.1)
    synced: list[str] = []

    def sync(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        with transaction(engine, path, "write") as connection:
            connection.exec_driver_sql("INSERT INTO numbers VALUES (2)")

    with transaction(engine, path, "write") as connection:
        connection.exec_driver_sql("CREATE TABLE numbers (value INTEGER)")
    monkeypatch.setattr(sqlite_file.os, "fdatasync", sync)
    with transaction(engine, path, "durable") as connection:
        connection.exec_driver_sql("INSERT INTO numbers VALUES (1)")
    assert synced == [f"{path}-wal"]
    with transaction(engine, path) as connection:
        assert connection.exec_driver_sql("SELECT value FROM numbers").scalars().all() == [1, 2]
    engine.dispose()


def test_nothing_is_acknowledged_that_a_failing_disk_did_not_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = open_queue(tmp_path / "queue.db")

    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(sqlite_file.os, "fdatasync", fail)
    with pytest.raises(StorageError, match=r"queue\.db: its disk reports an error .*Check the disk"):
        queue.submit(Oracle("test"), ["C"])
    monkeypatch.undo()
    assert queue.submit(Oracle("test"), ["C"]).waiting == 1
    queue.close()


def test_a_log_that_is_not_there_needs_no_sync(tmp_path: Path) -> None:
    sqlite_file.sync_log(tmp_path / "file.db")
