from __future__ import annotations

import math

import pytest
from queue_kinds import BEGINNING, ORACLE, Clock

from fluvial.queue.jobs import Oracle, Report, Result, WorkerState
from fluvial.queue.memory_queue import MemoryQueue
from fluvial.queue.summary import Times, find_oracle, kind_of, rate, summarise, times


def test_a_queue_in_numbers() -> None:
    clock = Clock()
    queue = MemoryQueue(clock=clock)
    other = Oracle("other")
    queue.submit(ORACLE, [*"abcd"])
    queue.submit(other, ["a"])
    jobs = queue.claim("ada", ORACLE.fingerprint, 4, 600.0)
    for seconds, job in zip((10.0, 20.0), jobs, strict=False):
        clock.time = BEGINNING + seconds
        queue.report([Report(job, Result({"x": 1.0}, seconds=seconds / 2))])
    queue.report([Report(job, Result(reason=f"atom {job.id} of '{job.text}' is odd")) for job in jobs[2:]])
    for name, state in (("ada", "working"), ("bob", "idle"), ("eve", "stopped")):
        queue.see(WorkerState(name, ORACLE.fingerprint, state))
    clock.time = BEGINNING + 120.0
    queue.see(WorkerState("ada", ORACLE.fingerprint, "working"))
    found = summarise(queue)
    assert (found.counts.submitted, found.counts.done, found.counts.failed, found.counts.ready) == (
        5,
        2,
        2,
        1,
    )
    assert [(one.name, one.counts.submitted) for one in found.oracles] == [("docking", 4), ("other", 1)]
    assert found.answers_per_minute == pytest.approx(4 / 10)
    assert found.latency == Times(20.0, 20.0, 20.0)
    assert found.evaluation == Times(5.0, 10.0, 10.0)
    assert found.oldest_seconds == 120.0
    assert found.reasons == (("atom N of '…' is odd", 2),)
    assert [worker.name for worker in found.workers] == ["ada"]
    assert found.lost_workers == 1
    assert found.as_json()["add_up"] is True


def test_percentiles_are_times_that_occurred() -> None:
    assert times([float(n) for n in range(100, 0, -1)]) == Times(50.0, 90.0, 99.0)
    assert times([3.0]) == Times(3.0, 3.0, 3.0)
    assert all(math.isnan(value) for value in vars(times([])).values())


def test_a_rate_of_nothing_is_zero() -> None:
    assert rate([], 0.0) == 0.0


def test_reasons_are_one_kind_whatever_their_numbers() -> None:
    assert kind_of("no answer within 1.5 s at 'CCO'") == kind_of("no answer within 30 s at 'C'")


def test_an_oracle_by_name_or_fingerprint() -> None:
    first, second = Oracle("docking", {"target": "a"}), Oracle("docking", {"target": "b"})
    both = {one.fingerprint: one for one in (first, second)}
    assert find_oracle({}, None) is None
    assert find_oracle({first.fingerprint: first}, None) == first.fingerprint
    assert find_oracle(both, first.fingerprint[:10]) == first.fingerprint
    assert find_oracle(both, "other") is None
    with pytest.raises(LookupError, match=r"docking \(.{8}\), docking"):
        find_oracle(both, "docking")
