"""No statement that is sent often reads a whole table, on either database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from queue_kinds import ORACLE, wipe
from sqlalchemy import event

from fluvial.queue import job_statements as statements
from fluvial.queue.jobs import Report, Result
from fluvial.queue.opening import open_queue
from fluvial.queue.sql_queue import SqlQueue

NOW = {"now": 1e9}
PLANS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "fresh": (statements.NEXT_FRESH, {"oracle": 1, "n": 20}, "jobs_fresh"),
    "retry": (statements.NEXT_RETRY, {"oracle": 1, **NOW}, "jobs_retry"),
    "expired": (statements.EXPIRED, NOW, "jobs_leased"),
    "late": (statements.LATE, {"oracle": 1, "far": 2e9, **NOW}, "jobs_retry"),
    "by key": (statements.BY_KEY, {"oracle": 1, "some": [b"x", b"y"]}, "one_job_for_each_object"),
    "fresh ones": (statements.WAITING[0], {"oracle": 1, "most": 100}, "jobs_fresh"),
    "leased ones": (statements.WAITING[2], {"oracle": 1, "most": 100}, "jobs_leased"),
    "untold": (statements.ANY_UNTOLD, {}, "jobs_untold"),
    "number": (statements.NUMBER, {"base": 5, "most": 100}, "jobs_untold"),
    "told": (statements.TOLD, {"after": 5, "most": 100}, "jobs_answer"),
    "locked": (statements.LOCKED, {"some": [1, 2]}, "PRIMARY KEY"),
    "hold": (
        statements.HOLD,
        {"some": [1, 2], "new_token": "t", "new_owner": "o", "until": 2e9, **NOW},
        "PRIMARY KEY",
    ),
    "extend": (statements.EXTEND, {"some": [1, 2], "old_token": "t", "until": 2e9, **NOW}, "PRIMARY KEY"),
    "without value": (statements.WITHOUT_VALUE.limit(20), {}, "jobs_without_value"),
    "finished since": (statements.ENDED_SINCE, {"since": 1e9, "most": 1000}, "jobs_finished"),
}


@pytest.fixture(scope="module")
def sqlite_queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlQueue]:
    queue = open_queue(tmp_path_factory.mktemp("plans"))
    yield filled(queue)
    queue.close()


@pytest.fixture(scope="module")
def postgres_queue(server: Any) -> Iterator[SqlQueue]:
    queue = open_queue(server.url)
    wipe(queue.database)
    yield filled(queue)
    queue.close()


def filled(queue: SqlQueue) -> SqlQueue:
    """Jobs of all states, most of them ready."""
    queue.submit(ORACLE, [f"C{n}" for n in range(3000)])
    crash = Result(reason="x", may_pass=True)
    for n, result in ((100, Result({"x": 1.0})), (20, Result(reason="no")), (20, crash)):
        queue.report([Report(job, result) for job in queue.claim("w", ORACLE.fingerprint, n, 60.0)])
        queue.answers()
    queue.report([Report(job, Result({"x": 1.0})) for job in queue.claim("w", ORACLE.fingerprint, 50, 60.0)])
    queue.claim("w", ORACLE.fingerprint, 50, 60.0)
    return queue


@pytest.mark.parametrize("name", PLANS)
def test_sqlite_uses_its_indexes(sqlite_queue: SqlQueue, name: str) -> None:
    plan = explained(sqlite_queue, name, "EXPLAIN QUERY PLAN ")
    assert not re.search(r"SCAN jobs(?! USING)", plan), plan
    assert index_names(PLANS[name][2], plan), plan


@pytest.mark.parametrize("name", PLANS)
def test_postgres_uses_its_indexes(postgres_queue: SqlQueue, name: str) -> None:
    plan = explained(postgres_queue, name, "EXPLAIN ")
    assert index_names(PLANS[name][2], plan), plan


def index_names(expected: str, plan: str) -> bool:
    """Whether the index occurs, under any name that a database gives to those of constraints."""
    others = {"PRIMARY KEY": "jobs_pkey", "one_job_for_each_object": "sqlite_autoindex_jobs_1"}
    return expected in plan or others.get(expected, expected) in plan


class CapturedError(Exception):
    """Carries a statement in the form in which the database would get it."""


def capture(*sent: Any) -> None:
    raise CapturedError(*sent[2:4])


def explained(queue: SqlQueue, name: str, how: str) -> str:
    statement, values, _ = PLANS[name]
    engine = queue.database.engine
    with engine.connect() as connection:
        connection.begin()
        if connection.dialect.name == "postgresql":
            # On a table as small as this one, reading all of it may truly be the fastest way.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            connection.exec_driver_sql("SET LOCAL enable_sort = off")
        event.listen(engine, "before_cursor_execute", capture)
        try:
            connection.execute(statement, values)
        except CapturedError as sent:
            text, parameters = sent.args
        finally:
            event.remove(engine, "before_cursor_execute", capture)
        return "\n".join(str(row[-1]) for row in connection.exec_driver_sql(how + text, parameters))
