"""Planted faults of the queue, each of which its tests must find."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fluvial

HERE = Path(__file__).parent
SOURCE = Path(fluvial.__file__).parent
LEASE_CHECK = "    if life.state != LEASED or life.token != token:\n        return None\n"

MUTANTS: dict[str, tuple[str, str, str]] = {
    "a failure without a lease counts": (
        "life.py", LEASE_CHECK + "    if not", "    if life.state != LEASED:\n        return None\n    if not"
    ),
    "a release without a lease counts": (
        "life.py", LEASE_CHECK + "    return _free", "    if life.state != LEASED:\n        return None\n    return _free"
    ),
    "leases run out early": ("life.py", "life.lease_until <= now", "life.lease_until <= now + 5.0"),
    "leases never run out": ("life.py", "return life.lease_until <= now or", "return False and"),
    "a clock set back blocks": ("life.py", " or life.leased_at > now", ""),
    "the last value wins": ("life.py", "life.state in (DONE, FAILED)", "life.state == FAILED"),
    "a value overrules a refusal": ("life.py", "life.state in (DONE, FAILED)", "life.state == DONE"),
    "one attempt more": ("life.py", "life.attempts >= retries", "life.attempts > retries"),
    "what is given back counts as tried": ("life.py", "attempts=life.attempts - 1,", "attempts=life.attempts,"),
    "refusals are tried again": ("life.py", "if not result.may_pass:", "if False:"),
    "no rest after a failure": ("life.py", "now + retries.backoff(life.attempts)", "now"),
    "revived jobs keep their attempts": ("life.py", "state=READY, attempts=0, due=None, s", "state=READY, due=None, s"),
    "a better end is not told": ("life.py", "finished_at=now, answer=None, **", "finished_at=now, **"),
    "the owner is forgotten": ("life.py", "token=None, leased_at", "token=None, owner='', leased_at"),
    "rests do not grow": ("jobs.py", "2.0 ** min(", "1.0 ** min("),
    "the least priority first": ("job_statements.py", "order_by(jobs.c.priority.desc(), ", "order_by(jobs.c.priority, "),
    "the newest first": (
        "job_statements.py", "jobs.c.priority.desc(), jobs.c.id)", "jobs.c.priority.desc(), jobs.c.id.desc())"
    ),
    "failed jobs come with others": ("job_statements.py", "return retry or connection", "return [*retry] + connection"),
    "failed jobs do not rest": (
        "job_statements.py", 'jobs.c.due <= bindparam("now")', 'jobs.c.due <= bindparam("now") + 1000.0'
    ),
    "any heartbeat holds": ("job_statements.py", 'jobs.c.token == bindparam("old_token")', "jobs.c.id > 0"),
    "a heartbeat holds nothing": (
        "job_statements.py",
        'IS_LEASED, jobs.c.token == bindparam("old_token"))\n    .values(leased_at=bindparam("now"), lease_until=bindparam("until"))',
        'IS_LEASED, jobs.c.token == bindparam("old_token"))\n    .values(leased_at=bindparam("now"))',
    ),
    "leases are not counted": ("job_statements.py", "attempts=jobs.c.attempts + 1", "attempts=jobs.c.attempts"),
    "the cursor repeats": ("job_statements.py", 'jobs.c.answer > bindparam("after")', 'jobs.c.answer >= bindparam("after")'),
    "answers in the order of objects": ("job_statements.py", ".order_by(jobs.c.answer)", ".order_by(jobs.c.id)"),
    "leased jobs do not count as waiting": (
        "job_statements.py", "UNANSWERED = (IS_FRESH, IS_RETRY, IS_LEASED)", "UNANSWERED = (IS_FRESH, IS_RETRY)"
    ),
    "oracles share objects": ("job_statements.py", "WITH_ORACLE.where(IS_MINE, jobs.c.key", "WITH_ORACLE.where(jobs.c.key"),
    "one more than the bound": ("submission.py", "most_waiting - statements", "1 + most_waiting - statements"),
    "one more than the budget": ("submission.py", "max(0, most_submitted - before)", "1 + max(0, most_submitted - before)"),
    "draining is ignored": ("submission.py", 'meta_value(connection, "draining")', 'meta_value(connection, "none")'),
    "pausing is ignored": ("sql_queue.py", 'meta_value(connection, "paused")', 'meta_value(connection, "none")'),
    "what was refused counts as submitted": (
        "submission.py", 'submitted {oracle.fingerprint}", len(taken)', 'submitted {oracle.fingerprint}", len(new)'
    ),
    "nobody looks for lost leases": ("sql_queue.py", "            self._sweep(connection, now)\n", ""),
    "numbers are used twice": ("sql_queue.py", 'meta.add_meta(connection, "answers", count)', "pass"),
    "of two results the last counts": ("sql_queue.py", "in reversed(reports)}", "in reports}"),
    "rests from a wrong clock stay": ("sql_queue.py", "statements.shorten_rests(", "str("),
    "reports are not written": ("sql_queue.py", "statements.write_lives(connection, changed)", "pass"),
}  # fmt: skip


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, to be changed."""
    folder = tmp_path_factory.mktemp("mutants") / "fluvial"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def findings(copy: Path, examples: int) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": f"{copy.parent}{os.pathsep}{HERE}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "FLUVIAL_TEST_QUEUE": "memory,sqlite",
        "FLUVIAL_TEST_EXAMPLES": str(examples),
    }
    # Only the tests of this folder, without what others start from, which loads torch.
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-c", os.devnull]
    command += ["--rootdir", str(HERE), "--confcutdir", str(HERE), "-n", "0"]
    machine = str(HERE / "test_queue_machine.py")
    command += [str(HERE / "test_queue_conformance.py"), f"{machine}::test_memory", f"{machine}::test_sqlite"]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)


@pytest.mark.long
@pytest.mark.parametrize("name", MUTANTS)
def test_the_tests_find(copy: Path, name: str) -> None:
    file, right, wrong = MUTANTS[name]
    path = copy / "queue" / file
    source = path.read_text()
    assert source.count(right) == 1, f"{file} has changed: write this mutant again"
    path.write_text(source.replace(right, wrong))
    try:
        found = findings(copy, 60)
    finally:
        path.write_text(source)
    assert found.returncode == 1, found.stdout[-2000:] + found.stderr[-2000:]
    assert " failed" in found.stdout


@pytest.mark.long
def test_the_tests_pass_without_a_fault(copy: Path) -> None:
    found = findings(copy, 5)
    assert found.returncode == 0, found.stdout[-3000:]


def test_mutants_fit_the_source() -> None:
    for name, (file, right, wrong) in MUTANTS.items():
        assert (SOURCE / "queue" / file).read_text().count(right) == 1, name
        assert right != wrong
    assert len(MUTANTS) >= 20
