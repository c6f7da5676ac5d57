"""Random lives of queues against a model of a few lines: after each event both are the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from queue_kinds import ORACLE, RETRIES, Clock, memory_database, sql_queue, wipe

from fluvial.bench.postgres_server import PostgresServer
from fluvial.queue.database import connect
from fluvial.queue.jobs import Job, Report, Result
from fluvial.queue.memory_queue import MemoryQueue
from fluvial.queue.sql_queue import SqlQueue

LEASE = 10.0
FEW = os.environ.get("FLUVIAL_TEST_EXAMPLES", "24")

RESULTS = [
    Result({"x": 1.0}),
    Result({"x": 2.0}),
    Result(reason="no"),
    Result(reason="crash", may_pass=True),
]


@dataclass
class ModelJob:
    """What must be true of a job."""

    text: str
    priority: float
    state: str = "ready"
    attempts: int = 0
    due: float = 0.0
    token: str = ""
    since: float = 0.0
    until: float = 0.0
    value: float | None = None
    told: bool = False

    def fail(self, now: float, rest: float) -> None:
        if self.attempts >= RETRIES.max_attempts:
            self.state, self.told = "dead", False
        else:
            self.state, self.due = "ready", now + rest


@dataclass
class Model:
    """The rules of the documentation, as plainly as possible."""

    jobs: list[ModelJob] = field(default_factory=list)
    is_paused: bool = False
    is_draining: bool = False

    def of(self, *states: str) -> list[ModelJob]:
        return [job for job in self.jobs if job.state in states]

    def submit(self, ranked: list[tuple[str, float]], bound: int | None) -> int:
        new, first = 0, dict(reversed(ranked))
        for text, priority in ((text, first[text]) for text in dict.fromkeys(text for text, _ in ranked)):
            if text in {job.text for job in self.jobs}:
                continue
            if self.is_draining or (bound is not None and len(self.of("ready", "leased")) >= bound):
                continue
            self.jobs.append(ModelJob(text, priority))
            new += 1
        return new

    def claim(self, n: int, now: float) -> list[str]:
        for job in self.of("leased"):
            if job.until <= now or job.since > now:
                job.fail(now, 0.0)
        for job in self.of("ready"):
            if job.attempts and job.due > now + RETRIES.most_backoff_seconds:
                job.due = now
        if self.is_paused:
            return []
        retries = [job for job in self.of("ready") if job.attempts and job.due <= now]
        fresh = sorted((job for job in self.of("ready") if not job.attempts), key=lambda job: -job.priority)
        chosen = sorted(retries, key=lambda job: job.due)[:1] or fresh[:n]
        for job in chosen:
            job.state, job.attempts, job.since, job.until = "leased", job.attempts + 1, now, now + LEASE
        return [job.text for job in chosen]

    def report(self, job: ModelJob, token: str, result: Result, now: float) -> bool:
        holds = job.state == "leased" and job.token == token
        if result.is_value and job.state in ("ready", "leased", "dead"):
            job.state, job.value, job.told = "done", result.values["x"], False
        elif result.is_value or not holds:
            return False
        elif result.may_pass:
            job.fail(now, RETRIES.backoff_seconds * 2.0 ** (job.attempts - 1))
        else:
            job.state = "failed"
        return True


class QueueMachine(RuleBasedStateMachine):
    """Events in any order; `make` gives an empty queue."""

    make: ClassVar[Any]

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.queue = self.make(self.clock)
        self.model = Model()
        self.handed_out: list[Job] = []
        self.cursor = 0
        self.collected: dict[str, str] = {}

    def model_job(self, job: Job) -> ModelJob:
        return next(one for one in self.model.jobs if one.text == job.text)

    @initialize()
    def begin(self) -> None:
        self.submit([("a", 0.0), ("b", 1.0), ("c", 0.0)], None)

    @rule(
        ranked=st.lists(
            st.tuples(st.sampled_from("abcdefgh"), st.sampled_from([0.0, 1.0])), min_size=1, max_size=4
        ),
        bound=st.sampled_from([None, None, 0, 3, 5]),
    )
    def submit(self, ranked: list[tuple[str, float]], bound: int | None) -> None:
        texts, priorities = [text for text, _ in ranked], [priority for _, priority in ranked]
        found = self.queue.submit(ORACLE, texts, priorities, bound)
        assert found.new == self.model.submit(ranked, bound)
        assert found.new + found.waiting + len(found.answered) + len(found.refused) == len(set(texts))

    @rule(n=st.integers(1, 4), worker=st.sampled_from(["ada", "bob"]))
    def claim(self, n: int, worker: str) -> None:
        jobs = self.queue.claim(worker, ORACLE.fingerprint, n, LEASE)
        assert [job.text for job in jobs] == self.model.claim(n, self.clock.time)
        for job in jobs:
            one = self.model_job(job)
            assert job.attempt == one.attempts
            assert job.token not in {earlier.token for earlier in self.handed_out}
            one.token = job.token
        self.handed_out += jobs

    @rule(data=st.data(), result=st.sampled_from(RESULTS))
    def report(self, data: st.DataObject, result: Result) -> None:
        if not self.handed_out:
            return
        job = self.handed_out[-1 - data.draw(st.integers(0, min(5, len(self.handed_out) - 1)))]
        expected = self.model.report(self.model_job(job), job.token, result, self.clock.time)
        assert self.queue.report([Report(job, result)]) == expected

    @rule(data=st.data())
    def report_last_claim(self, data: st.DataObject) -> None:
        jobs = [job for job in self.handed_out if job.token == self.handed_out[-1].token]
        results = [data.draw(st.sampled_from(RESULTS)) for _ in jobs]
        expected = [
            self.model.report(self.model_job(job), job.token, result, self.clock.time)
            for job, result in zip(jobs, results, strict=True)
        ]
        reports = [Report(job, result) for job, result in zip(jobs, results, strict=True)]
        assert self.queue.report(reports) == sum(expected)

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        if not self.handed_out:
            return
        job = self.handed_out[-1 - data.draw(st.integers(0, min(5, len(self.handed_out) - 1)))]
        one = self.model_job(job)
        holds = one.state == "leased" and one.token == job.token
        if holds:
            one.state, one.attempts, one.due = "ready", one.attempts - 1, self.clock.time
        assert self.queue.release([job]) == holds

    @rule(data=st.data())
    def extend(self, data: st.DataObject) -> None:
        if not self.handed_out:
            return
        job = self.handed_out[-1 - data.draw(st.integers(0, min(5, len(self.handed_out) - 1)))]
        one = self.model_job(job)
        holds = one.state == "leased" and one.token == job.token
        if holds:
            one.since, one.until = self.clock.time, self.clock.time + LEASE
        assert self.queue.extend([job], LEASE) == ({job.id} if holds else set())

    @rule(seconds=st.sampled_from([0.5, 1.0, 2.0, LEASE - 0.5, LEASE, -3600.0, 3600.0]))
    def pass_time(self, seconds: float) -> None:
        self.clock.time += seconds

    @rule(is_paused=st.booleans(), is_draining=st.booleans())
    def switch(self, is_paused: bool, is_draining: bool) -> None:
        self.queue.set_controls(paused=is_paused, draining=is_draining)
        self.model.is_paused, self.model.is_draining = is_paused, is_draining

    @rule(refused=st.booleans())
    def revive(self, refused: bool) -> None:
        chosen = self.model.of("dead", *(["failed"] if refused else []))
        assert self.queue.revive(refused=refused) == len(chosen)
        for job in chosen:
            job.state, job.attempts, job.told = "ready", 0, False

    @rule(limit=st.sampled_from([1, 1000]))
    def collect(self, limit: int) -> None:
        found = self.queue.answers(self.cursor, limit)
        numbers = [end.number for end in found]
        assert numbers == sorted(set(numbers))
        assert all(number > self.cursor for number in numbers)
        self.cursor = numbers[-1] if numbers else self.cursor
        for end in found:
            one = next(job for job in self.model.jobs if job.text == end.text)
            assert not one.told
            one.told = True
            assert (end.state, end.values) == (one.state, {} if one.value is None else {"x": one.value})
            assert end.attempts == one.attempts
        if limit > len(found):
            assert [job.text for job in self.model.of("done", "failed", "dead") if not job.told] == []

    @invariant()
    def counts_are_those_of_the_model(self) -> None:
        counts = self.queue.counts()
        assert counts.add_up
        assert counts.submitted == len(self.model.jobs)
        states = [job.state for job in self.model.jobs]
        found = {name: n for name, n in vars(counts).items() if n and name != "submitted"}
        assert found == {state: states.count(state) for state in set(states)}


def run(make: Any, examples: int, steps: int = 40) -> None:
    machine = type("Machine", (QueueMachine,), {"make": staticmethod(make)})
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def sqlite_machine() -> Iterator[Any]:
    """Makes empty queues in one database that is in memory, so that the disk does not count."""
    clock = Clock()
    database = memory_database(clock)
    sql_queue(database)

    def make(fresh: Clock) -> SqlQueue:
        wipe(database)
        database._clock = fresh
        return SqlQueue(database, RETRIES, sweep_seconds=0.0)

    yield make
    database.close()


def test_memory() -> None:
    run(lambda clock: MemoryQueue(RETRIES, clock), int(FEW))


def test_sqlite(sqlite_machine: Any) -> None:
    run(sqlite_machine, int(FEW))


def test_postgres(server: PostgresServer) -> None:
    database = connect(server.url, Clock(), patience_seconds=0.0)
    sql_queue(database)

    def make(fresh: Clock) -> SqlQueue:
        wipe(database)
        database._clock = fresh
        return SqlQueue(database, RETRIES, sweep_seconds=0.0)

    run(make, int(FEW) // 4)
    database.close()


@pytest.mark.long
def test_sqlite_for_long(sqlite_machine: Any) -> None:
    run(sqlite_machine, 2000)
