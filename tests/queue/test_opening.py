"""What may be wrong with the place of a queue, and what becomes of it."""

from __future__ import annotations

import fcntl
import sqlite3
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from queue_kinds import ORACLE, RETRIES, Clock, wipe
from sqlalchemy import text

from fluvial.bench.postgres_server import PostgresServer
from fluvial.core.errors import ConfigError, StorageError
from fluvial.queue import database as database_module
from fluvial.queue import sqlite_file
from fluvial.queue.database import connect
from fluvial.queue.job_schema import VERSION
from fluvial.queue.jobs import Report, Result
from fluvial.queue.opening import open_queue, prepare
from fluvial.queue.sql_queue import SqlQueue
from fluvial.queue.store import Store


def test_a_folder_a_file_and_a_url_name_the_same_queue(tmp_path: Path) -> None:
    for place in (tmp_path, str(tmp_path), tmp_path / "queue.db", f"sqlite:///{tmp_path}/queue.db"):
        queue = open_queue(place)
        queue.submit(ORACLE, ["C"])
        assert queue.counts().submitted == 1
        queue.close()


def test_no_queue_is_made_by_looking(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"no queue at .*queue\.db"):
        open_queue(tmp_path, create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_mistyped_folder_does_not_become_a_file(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"no run and no queue at .*/desing\. Check the path"):
        open_queue(tmp_path / "desing")
    assert list(tmp_path.iterdir()) == []


def test_the_store_of_a_run_is_not_a_queue(tmp_path: Path) -> None:
    Store.create(tmp_path / "store.db").close()
    before = Store.open(tmp_path / "store.db").digest()
    with pytest.raises(StorageError, match="database of something else"):
        open_queue(tmp_path / "store.db")
    assert Store.open(tmp_path / "store.db").digest() == before


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("mysql://u:secret@host/db", "cannot be kept in 'mysql'"),
        ("postgresql://u:secret@host:port/db", "cannot be read"),
        ("://x", "cannot be read"),
    ],
)
def test_urls_that_cannot_be_meant(place: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        open_queue(place)
    assert "secret" not in str(caught.value)


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    with pytest.raises(
        StorageError, match=r"postgresql://u:\*\*\*@127.0.0.1:1/db: PostgreSQL says"
    ) as caught:
        open_queue("postgresql://u:secret@127.0.0.1:1/db", patience_seconds=0.0)
    assert "secret" not in str(caught.value)
    assert "Check that the server runs" in str(caught.value)


def test_a_network_file_system_is_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "filesystem_type", lambda *_: "nfs4")
    with pytest.raises(StorageError, match=r"network file system \(nfs4\).*PostgreSQL server by its URL"):
        open_queue(tmp_path)


def test_a_newer_queue_is_refused(tmp_path: Path) -> None:
    open_queue(tmp_path).close()
    with sqlite3.connect(tmp_path / "queue.db") as raw:
        raw.execute("UPDATE queue_meta SET value = value + 1 WHERE name = 'queue_version'")
    with pytest.raises(StorageError, match=f"queue version {VERSION + 1}.*reads up to {VERSION}. Update"):
        open_queue(tmp_path)


def test_an_older_queue_is_brought_up_to_date_or_left_as_it_is(tmp_path: Path) -> None:
    queue = open_queue(tmp_path)
    queue.submit(ORACLE, ["C"])
    queue.close()
    database = connect(tmp_path)

    def add_column(connection: Any) -> None:
        connection.execute(text("ALTER TABLE workers ADD COLUMN host TEXT"))

    def fail(connection: Any) -> None:
        connection.execute(text("ALTER TABLE workers ADD COLUMN other TEXT"))
        raise StorageError("no")

    with pytest.raises(StorageError, match="no"):
        prepare(database, upgrades={VERSION: add_column, VERSION + 1: fail}, version=VERSION + 2)
    assert columns(tmp_path, "workers").isdisjoint({"host", "other"})
    prepare(database, upgrades={VERSION: add_column}, version=VERSION + 1)
    prepare(database, upgrades={VERSION: add_column}, version=VERSION + 1)
    database.close()
    assert "host" in columns(tmp_path, "workers")
    with sqlite3.connect(tmp_path / "queue.db") as raw:
        assert raw.execute("SELECT text, state FROM jobs").fetchall() == [("C", "ready")]


def columns(folder: Path, table: str) -> set[str]:
    with sqlite3.connect(folder / "queue.db") as raw:
        return {row[1] for row in raw.execute(f"PRAGMA table_info({table})")}


@pytest.mark.parametrize("size", [0.5, 0.9])
def test_a_truncated_file_is_refused_and_not_touched(tmp_path: Path, size: float) -> None:
    queue = open_queue(tmp_path)
    queue.submit(ORACLE, [f"C{n}" for n in range(2000)])
    queue.close()
    path = tmp_path / "queue.db"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * size)])
    with pytest.raises(StorageError, match=r"is damaged .*Keep it; restore a backup"):
        open_queue(tmp_path)
    assert path.read_bytes() == whole[: int(len(whole) * size)]


def test_a_queue_that_another_process_locks_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_SECONDS", 0.05)
    queue = open_queue(tmp_path, patience_seconds=0.1)
    other = sqlite3.connect(tmp_path / "queue.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="another process keeps it locked"):
        queue.submit(ORACLE, ["C"])
    assert queue.counts().submitted == 0
    threading.Timer(0.2, other.rollback).start()
    assert open_queue(tmp_path, patience_seconds=20.0).submit(ORACLE, ["C"]).new == 1
    other.close()


def test_a_writer_whose_turn_never_comes_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = open_queue(tmp_path)
    with (tmp_path / "queue.db-turn").open("ab") as hung:
        fcntl.flock(hung, fcntl.LOCK_EX)
        monkeypatch.setattr(database_module, "BUSY_TIMEOUT_SECONDS", 0.05)
        assert queue.submit(ORACLE, ["C"]).new == 1
    assert queue.submit(ORACLE, ["N"]).new == 1


def test_what_was_acknowledged_outlives_a_full_disk(small_disk: Path) -> None:
    queue = open_queue(small_disk, patience_seconds=0.0)
    acknowledged = 0
    with pytest.raises(StorageError, match="no room is left on its disk"):
        for batch in range(1000):
            acknowledged += queue.submit(ORACLE, [f"C{batch} {n}" for n in range(50)]).new
    assert acknowledged > 500
    queue.close()
    again = open_queue(small_disk, patience_seconds=0.0)
    assert again.counts().submitted == again.counts().ready == acknowledged


def test_a_read_only_disk_is_said(small_disk: Path) -> None:
    open_queue(small_disk).close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StorageError, match=r"read-only|cannot be opened|refused"):
        open_queue(small_disk, patience_seconds=0.0).submit(ORACLE, ["C"])


# Several at once


@pytest.fixture(params=["sqlite", "postgres"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> SqlQueue:
    if request.param == "sqlite":
        return open_queue(tmp_path)
    url = request.getfixturevalue("server").url
    queue = open_queue(url)
    wipe(queue.database)
    return queue


def at_once(n: int, work: Any) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_no_job_is_given_to_two(shared: SqlQueue) -> None:
    shared.submit(ORACLE, [f"C{n}" for n in range(300)])
    found: list[str] = []

    def work(number: int) -> None:
        while jobs := shared.claim(f"worker {number}", ORACLE.fingerprint, 7, 60.0):
            found.extend(job.text for job in jobs)
            shared.report([Report(job, Result({"x": 1.0})) for job in jobs])

    at_once(4, work)
    assert sorted(found) == sorted(f"C{n}" for n in range(300))
    assert shared.counts().done == 300
    assert shared.counts().add_up


def test_the_bound_is_exact_also_if_several_submit(shared: SqlQueue) -> None:
    def work(number: int) -> None:
        for batch in range(10):
            shared.submit(ORACLE, [f"{number} {batch} {n}" for n in range(10)], most_waiting=205)

    at_once(4, work)
    assert shared.counts().submitted == shared.counts().ready == 205
    assert shared.events()["refused"] == 4 * 10 * 10 - 205


def test_readers_at_once_see_the_same_numbers(shared: SqlQueue) -> None:
    shared.submit(ORACLE, [f"C{n}" for n in range(200)])
    seen: dict[int, list[Any]] = {0: [], 1: []}

    def work(number: int) -> None:
        if number == 2:
            while jobs := shared.claim("worker", ORACLE.fingerprint, 5, 60.0):
                shared.report([Report(job, Result({"x": 1.0})) for job in jobs])
            return
        cursor = 0
        while len(seen[number]) < 200:
            found = shared.answers(cursor)
            cursor = found[-1].number or 0 if found else cursor
            seen[number] += [(end.number, end.text) for end in found]

    at_once(3, work)
    assert seen[0] == seen[1]
    assert [number for number, _ in seen[0]] == list(range(1, 201))


def test_queues_opened_at_once_are_one(tmp_path: Path) -> None:
    def work(number: int) -> None:
        queue = open_queue(tmp_path)
        queue.submit(ORACLE, ["C", f"N{number}"])
        queue.close()

    at_once(6, work)
    assert open_queue(tmp_path).counts().submitted == 7


@pytest.mark.long
def test_a_server_that_is_killed_and_comes_back_costs_nothing(server: PostgresServer) -> None:
    queue = open_queue(server.url, retries=RETRIES)
    wipe(queue.database)
    acknowledged = 0
    for kill in range(3):
        for batch in range(5):
            acknowledged += queue.submit(ORACLE, [f"{kill} {batch} {n}" for n in range(10)]).new
        server.kill()
        back = threading.Thread(target=server.start)
        back.start()
        assert queue.submit(ORACLE, [f"{kill} after"]).new == 1
        back.join()
        acknowledged += 1
    assert queue.counts().submitted == queue.counts().ready == acknowledged == 153


def test_the_clock_is_that_of_the_server(server: PostgresServer, tmp_path: Path) -> None:
    ours = Clock(5.0)
    assert SqlQueue(connect(server.url, ours)).now() == 5.0
    assert SqlQueue(connect(server.url)).now() > 1e9
    assert SqlQueue(connect(tmp_path)).now() > 1e9
