"""What every kind of queue does, event by event."""

from __future__ import annotations

import math

import pytest
from queue_kinds import BEGINNING, ORACLE, Bench

from fluvial.core.errors import DataError
from fluvial.queue.jobs import Counts, Job, Oracle, Report, Result, WorkerState

VALUE = Result({"score": 0.5}, seconds=2.0)
REFUSAL = Result(reason="cannot be docked")
CRASH = Result(reason="ended with SIGSEGV", may_pass=True)


# Submitting


def test_an_object_is_asked_about_once(bench: Bench) -> None:
    first = bench.submit("CCO", "C", "CCO")
    assert (first.new, first.waiting, first.answered, first.refused) == (2, 0, (), ())
    second = bench.submit("C", "N")
    assert (second.new, second.waiting) == (1, 1)
    assert bench.queue.counts() == Counts(submitted=3, ready=3)
    assert bench.queue.events()["repeated"] == 1


def test_the_job_that_waits_longest_is_the_oldest_whatever_its_state(bench: Bench) -> None:
    assert bench.queue.oldest() is None
    for seconds, text in ((0.0, "a"), (5.0, "b"), (9.0, "c")):
        bench.clock.time = BEGINNING + seconds
        bench.submit(text)
    assert bench.queue.oldest() == BEGINNING
    first, second = bench.claim(2)
    assert bench.queue.oldest() == BEGINNING
    bench.queue.report([Report(first, VALUE), Report(second, CRASH)])
    assert bench.queue.oldest() == BEGINNING + 5.0
    bench.clock.time += 60.0
    (again,) = bench.claim(1)
    bench.queue.report([Report(again, REFUSAL)])
    assert bench.queue.oldest() == BEGINNING + 9.0


def test_an_answer_serves_whoever_asks_again(bench: Bench) -> None:
    bench.submit("CCO")
    bench.queue.report([Report(*bench.claim(), VALUE)])
    again = bench.submit("CCO", "C")
    assert (again.new, again.waiting) == (1, 0)
    (answer,) = again.answered
    assert (answer.text, answer.state, answer.values) == ("CCO", "done", {"score": 0.5})
    assert bench.queue.known(ORACLE.fingerprint, ["C", "CCO", "N"]) == {"CCO": answer}


def test_oracles_are_kept_apart(bench: Bench) -> None:
    other = Oracle("docking", {"target": "1XYZ"})
    bench.submit("CCO")
    assert bench.queue.submit(other, ["CCO"]).new == 1
    assert bench.queue.claim("bob", "f" * 32, 5, 30.0) == []
    (job,) = bench.queue.claim("bob", other.fingerprint, 5, 30.0)
    bench.queue.report([Report(job, VALUE)])
    assert bench.queue.counts(other.fingerprint) == Counts(submitted=1, done=1)
    assert bench.queue.counts(ORACLE.fingerprint) == Counts(submitted=1, ready=1)
    assert bench.queue.counts("f" * 32) == Counts()
    assert bench.queue.known(ORACLE.fingerprint, ["CCO"]) == {}
    assert bench.queue.answers(oracle=ORACLE.fingerprint) == []
    assert len(bench.queue.answers(oracle=other.fingerprint)) == 1
    assert bench.queue.oracles() == {oracle.fingerprint: oracle for oracle in (ORACLE, other)}


def test_the_bound_on_waiting_jobs_is_kept_exactly(bench: Bench) -> None:
    bench.submit("a", "b", most_waiting=3)
    full = bench.submit("b", "c", "d", "e", most_waiting=3)
    assert (full.new, full.waiting, full.refused) == (1, 1, ("d", "e"))
    job, *_ = bench.claim(2)
    assert bench.submit("d", most_waiting=3).refused == ("d",)
    bench.queue.report([Report(job, REFUSAL)])
    assert bench.submit("d", "e", most_waiting=3).refused == ("e",)
    assert bench.queue.events()["refused"] == 4
    assert bench.states() == {"ready": 2, "leased": 1, "failed": 1}


def test_a_bound_on_all_jobs_is_kept_whatever_became_of_them(bench: Bench) -> None:
    assert bench.submit("a", "b", "a", most_submitted=3).new == 2
    bench.queue.report([Report(job, Result({"value": 1.0})) for job in bench.claim(1)])
    more = bench.submit("a", "c", "d", "b", most_submitted=3)
    assert (more.new, more.waiting, more.refused) == (1, 1, ("d",))
    assert [answer.text for answer in more.answered] == ["a"]
    assert bench.submit("d", "e", most_submitted=3).refused == ("d", "e")
    assert bench.submit("d", "e", most_submitted=2).refused == ("d", "e")
    assert bench.submit("d", "e", most_submitted=4, most_waiting=2).refused == ("d", "e")
    assert bench.submit("d", "e", most_submitted=4, most_waiting=9).refused == ("e",)
    other = Oracle("other")
    assert bench.queue.submit(other, ["d", "e"], most_submitted=1).refused == ("e",)
    assert bench.queue.counts().submitted == 5
    assert bench.queue.counts().add_up


def test_a_draining_queue_accepts_nothing_new(bench: Bench) -> None:
    bench.submit("a")
    bench.queue.set_controls(draining=True)
    assert bench.submit("a", "b").refused == ("b",)
    assert [job.text for job in bench.claim()] == ["a"]
    bench.queue.set_controls(draining=False)
    assert bench.submit("b").new == 1


@pytest.mark.parametrize("text", ["", "a\0b", "\ud800", "C" * 65_537])
def test_what_cannot_be_an_object_is_refused_before_anything_is_kept(bench: Bench, text: str) -> None:
    with pytest.raises(DataError, match="cannot be submitted"):
        bench.submit("C", text)
    assert bench.queue.counts() == Counts()


def test_odd_objects_come_back_as_they_are(bench: Bench) -> None:
    texts = ["C" * 65_536, "'); DROP TABLE jobs; --", "ä\U0001f9ea", "%s :x ?", " ", "a\nb"]
    bench.submit(*texts)
    assert [job.text for job in bench.claim(10)] == texts


@pytest.mark.parametrize("priority", [math.nan, math.inf])
def test_a_priority_is_finite(bench: Bench, priority: float) -> None:
    with pytest.raises(DataError, match="must be a finite number"):
        bench.submit("C", priorities=[priority])


# Claiming


def test_the_greatest_priority_comes_first_then_the_oldest(bench: Bench) -> None:
    bench.submit("a", "b", "c", priorities=[0.0, 2.0, 0.0])
    bench.submit("d", "e", priorities=[2.0, -1.0])
    assert [job.text for job in bench.claim(3)] == ["b", "d", "a"]
    assert [job.text for job in bench.claim(3)] == ["c", "e"]
    assert bench.claim(3) == []


def test_a_lease_is_for_one_worker(bench: Bench) -> None:
    bench.submit("a", "b")
    first, second = bench.claim(), bench.claim(5, "bob")
    assert [job.text for job in first + second] == ["a", "b"]
    assert first[0].token != second[0].token
    assert first[0].attempt == 1
    assert bench.states() == {"leased": 2}


def test_nothing_is_given_out_while_paused(bench: Bench) -> None:
    bench.submit("a")
    bench.queue.set_controls(paused=True)
    assert bench.queue.controls() == {"paused": True, "draining": False}
    assert bench.claim() == []
    bench.queue.set_controls(paused=False)
    assert len(bench.claim()) == 1


# Leases


def test_a_lease_that_ran_out_is_given_to_another_and_not_before(bench: Bench) -> None:
    bench.submit("a")
    bench.claim(lease_seconds=30.0)
    bench.clock.time += 29.9
    assert bench.claim() == []
    bench.clock.time += 0.1
    (job,) = bench.claim(worker="bob")
    assert (job.text, job.attempt) == ("a", 2)
    assert bench.queue.events()["expired"] == 1


def test_a_heartbeat_keeps_the_lease(bench: Bench) -> None:
    bench.submit("a", "b")
    jobs = bench.claim(2)
    for _ in range(5):
        bench.clock.time += 29.0
        assert bench.queue.extend(jobs, 30.0) == {job.id for job in jobs}
        assert bench.claim() == []
    bench.queue.report([Report(jobs[0], VALUE)])
    assert bench.queue.extend(jobs, 30.0) == {jobs[1].id}


def test_a_heartbeat_does_not_take_back_what_another_holds(bench: Bench) -> None:
    bench.submit("a")
    old = bench.claim()
    bench.clock.time += 31.0
    new = bench.claim(worker="bob")
    assert bench.queue.extend(old, 1000.0) == set()
    assert bench.queue.release(old) == 0
    bench.clock.time += 31.0
    assert len(bench.claim()) == 1
    assert new[0].id == old[0].id


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_is_set_delays_nothing(bench: Bench, hours: int) -> None:
    bench.submit("a", "b")
    bench.claim()
    bench.queue.report([Report(*bench.claim(), CRASH)])
    bench.clock.time += 3600.0 * hours
    found = bench.claim(5) + bench.claim(5)
    assert sorted(job.text for job in found) == ["a", "b"]


def test_a_job_whose_workers_vanish_is_dead_with_a_reason(bench: Bench) -> None:
    bench.submit("a")
    for attempt in (1, 2, 3):
        assert [job.attempt for job in bench.claim(worker=f"worker {attempt}")] == [attempt]
        bench.clock.time += 30.0
    assert bench.claim() == []
    assert bench.states() == {"dead": 1}
    (end,) = bench.queue.failures()
    assert (end.state, end.attempts) == ("dead", 3)
    assert end.reason == "worker worker 3 was given it and did not answer in time"


def test_what_is_given_back_was_never_tried(bench: Bench) -> None:
    bench.submit("a", "b")
    jobs = bench.claim(2)
    assert bench.queue.release(jobs) == 2
    assert bench.queue.release(jobs) == 0
    assert bench.queue.events()["released"] == 2
    # Both come together and at once, as if they had not been given out.
    assert [(job.text, job.attempt) for job in bench.claim(2)] == [("a", 1), ("b", 1)]


def test_a_retry_that_is_given_back_keeps_its_earlier_attempts(bench: Bench) -> None:
    bench.submit("a", "b")
    bench.queue.report([Report(*bench.claim(), CRASH)])
    bench.clock.time += 1.0
    (job,) = bench.claim(2)
    bench.queue.release([job])
    (again,) = bench.claim(2)
    assert (again.text, again.attempt) == ("a", 2)


# Results


def test_a_value_ends_a_job(bench: Bench) -> None:
    bench.submit("a")
    (job,) = bench.claim(worker="ada")
    bench.clock.time += 5.0
    assert bench.queue.report([Report(job, Result({"x": 1.0, "y": None}, "y is missing"))]) == 1
    (end,) = bench.queue.answers()
    assert (end.number, end.oracle, end.text, end.state) == (1, ORACLE.fingerprint, "a", "done")
    assert (end.values, end.reason) == ({"x": 1.0, "y": None}, "y is missing")
    assert (end.attempts, end.owner, end.seconds) == (1, "ada", None)
    assert (end.submitted_at, end.finished_at) == (BEGINNING, BEGINNING + 5.0)
    assert bench.claim() == []


def test_only_the_first_value_counts(bench: Bench) -> None:
    bench.submit("a")
    (job,) = bench.claim()
    assert bench.queue.report([Report(job, VALUE)]) == 1
    assert bench.queue.report([Report(job, Result({"score": 9.0}))]) == 0
    assert bench.queue.report([Report(job, REFUSAL), Report(job, CRASH)]) == 0
    assert [end.values for end in bench.queue.answers()] == [{"score": 0.5}]
    assert bench.queue.events()["ignored"] == 3
    assert bench.states() == {"done": 1}


def test_of_two_results_told_at_once_the_first_counts(bench: Bench) -> None:
    bench.submit("a")
    (job,) = bench.claim()
    assert bench.queue.report([Report(job, VALUE), Report(job, Result({"score": 9.0}))]) == 1
    assert [end.values for end in bench.queue.answers()] == [{"score": 0.5}]


def test_a_late_value_is_as_good_as_one_in_time(bench: Bench) -> None:
    bench.submit("a")
    (old,) = bench.claim()
    bench.clock.time += 31.0
    (new,) = bench.claim(worker="bob")
    assert bench.queue.report([Report(old, VALUE)]) == 1
    assert bench.queue.report([Report(new, Result({"score": 9.0}))]) == 0
    assert [end.values for end in bench.queue.answers()] == [{"score": 0.5}]
    assert bench.queue.extend([new], 30.0) == set()


@pytest.mark.parametrize("result", [CRASH, REFUSAL])
def test_a_late_failure_does_not_touch_the_next_lease(bench: Bench, result: Result) -> None:
    bench.submit("a")
    (old,) = bench.claim()
    bench.clock.time += 31.0
    (new,) = bench.claim(worker="bob")
    assert bench.queue.report([Report(old, result)]) == 0
    assert bench.states() == {"leased": 1}
    assert bench.queue.report([Report(new, VALUE)]) == 1


def test_a_late_failure_does_not_touch_a_ready_job(bench: Bench) -> None:
    bench.submit("a")
    (old,) = bench.claim()
    bench.queue.release([old])
    assert bench.queue.report([Report(old, REFUSAL)]) == 0
    assert bench.states() == {"ready": 1}


def test_a_value_is_better_than_death(bench: Bench) -> None:
    bench.submit("a")
    for _ in range(3):
        (job,) = bench.claim()
        bench.clock.time += 30.0
    assert bench.claim() == []
    (dead,) = bench.queue.answers()
    assert bench.queue.report([Report(job, VALUE)]) == 1
    (end,) = bench.queue.answers(after=dead.number or 0)
    assert (end.state, end.number) == ("done", 2)


def test_a_refusal_is_for_good(bench: Bench) -> None:
    bench.submit("a")
    (job,) = bench.claim()
    assert bench.queue.report([Report(job, REFUSAL)]) == 1
    bench.clock.time += 1e6
    assert bench.claim() == []
    assert bench.queue.report([Report(job, VALUE)]) == 0
    (end,) = bench.queue.answers()
    assert (end.state, end.values, end.reason) == ("failed", {}, "cannot be docked")


def test_failures_that_may_pass_are_tried_again_after_a_rest(bench: Bench) -> None:
    bench.submit("a")
    bench.queue.report([Report(*bench.claim(), CRASH)])
    bench.clock.time += 0.9
    assert bench.claim() == []
    bench.clock.time += 0.1
    bench.queue.report([Report(*bench.claim(), CRASH)])
    bench.clock.time += 1.9
    assert bench.claim() == []
    bench.clock.time += 0.1
    bench.queue.report([Report(*bench.claim(), CRASH)])
    bench.clock.time += 1e6
    assert bench.claim() == []
    (end,) = bench.queue.failures()
    assert (end.state, end.reason, end.attempts) == ("dead", "ended with SIGSEGV", 3)
    assert bench.queue.events()["retried"] == 2


def test_a_job_that_failed_comes_alone(bench: Bench) -> None:
    bench.submit(*"abcdef")
    jobs = bench.claim(3)
    bench.queue.report([Report(job, CRASH) for job in jobs])
    bench.clock.time += 1.0
    assert [[job.text for job in bench.claim(6)] for _ in range(5)] == [["a"], ["b"], ["c"], [*"def"], []]


def test_reports_on_jobs_that_never_existed_are_ignored(bench: Bench) -> None:
    bench.submit("a")
    bench.claim()
    assert bench.queue.report([Report(Job(999, "z", 1, "token"), VALUE)]) == 0
    assert bench.queue.release([Job(999, "z", 1, "token")]) == 0
    assert bench.queue.extend([Job(999, "z", 1, "token")], 1.0) == set()
    assert bench.queue.events()["ignored"] == 1
    assert bench.states() == {"leased": 1}
    assert bench.queue.report([]) == 0
    assert bench.queue.claim("ada", ORACLE.fingerprint, 1, 1.0) == []


def test_reasons_of_any_kind_are_kept(bench: Bench) -> None:
    bench.submit("a", "b")
    jobs = bench.claim(2)
    bench.queue.report(
        [Report(jobs[0], Result(reason="\ud800 and \0")), Report(jobs[1], Result(reason="x" * 9999))]
    )
    assert [end.state for end in bench.queue.answers()] == ["failed", "failed"]
    assert max(len(end.reason) for end in bench.queue.failures()) == 4000


@pytest.mark.parametrize("values", [{"x": math.nan}, {"x": math.inf}, {"x": True}, {}, {"x": None}])
def test_what_is_no_number_is_no_result(values: dict[str, float | None]) -> None:
    with pytest.raises(ValueError, match=r"not a finite number|needs a value"):
        Result(values)


def test_the_latest_ends_can_be_seen_without_being_told(bench: Bench) -> None:
    bench.submit(*"abc")
    for job in bench.claim(3):
        bench.clock.time += 1.0
        bench.queue.report([Report(job, VALUE)])
    found = bench.queue.ended(since=BEGINNING + 1.0)
    assert [(end.text, end.seconds, end.number) for end in found] == [("c", 2.0, None), ("b", 2.0, None)]
    assert [end.text for end in bench.queue.ended(limit=1)] == ["c"]


# Answers


def test_a_cursor_misses_nothing_and_repeats_nothing(bench: Bench) -> None:
    bench.submit(*"abcdefg")
    jobs = {job.text: job for job in bench.claim(7)}
    bench.queue.report([Report(jobs["c"], VALUE)])
    assert [(end.number, end.text) for end in bench.queue.answers()] == [(1, "c")]
    # An object that came earlier is answered later: it must not fall behind the cursor.
    bench.queue.report([Report(jobs["b"], VALUE), Report(jobs["a"], REFUSAL)])
    bench.queue.report([Report(jobs["g"], VALUE)])
    assert [(end.number, end.text) for end in bench.queue.answers(after=1, limit=2)] == [(2, "a"), (3, "b")]
    assert [(end.number, end.text) for end in bench.queue.answers(after=3)] == [(4, "g")]
    assert bench.queue.answers(after=4) == []
    # Who reads again from the beginning sees the same.
    assert [end.text for end in bench.queue.answers()] == ["c", "a", "b", "g"]


# Trying again


def test_dead_jobs_can_be_tried_again(bench: Bench) -> None:
    bench.submit("a", "b", "c")
    first, second, _ = bench.claim(3)
    bench.queue.report([Report(first, REFUSAL)])
    bench.queue.report([Report(second, Result(reason="no licence", may_pass=True))])
    for wait in (1.0, 2.0):
        bench.clock.time += wait
        bench.queue.report([Report(*bench.claim(), Result(reason="no licence", may_pass=True))])
    assert bench.states() == {"failed": 1, "dead": 1, "leased": 1}
    assert [end.number for end in bench.queue.answers()] == [1, 2]
    assert bench.queue.revive() == 1
    assert bench.queue.revive() == 0
    assert bench.states() == {"failed": 1, "ready": 1, "leased": 1}
    (job,) = bench.claim()
    assert (job.text, job.attempt) == ("b", 1)
    bench.queue.report([Report(job, VALUE)])
    assert [(end.number, end.text) for end in bench.queue.answers(after=1)] == [(3, "b")]
    assert bench.queue.revive(refused=True) == 1
    assert bench.queue.events()["revived"] == 2


def test_chosen_jobs_can_be_tried_again(bench: Bench) -> None:
    bench.submit("a", "b")
    bench.queue.report([Report(job, REFUSAL) for job in bench.claim(2)])
    assert bench.queue.revive("f" * 32, refused=True) == 0
    assert bench.queue.revive(ORACLE.fingerprint, ["b", "z"], refused=True) == 1
    assert [job.text for job in bench.claim(2)] == ["b"]
    assert [end.text for end in bench.queue.failures()] == ["a"]


# Workers


def test_workers_are_remembered_with_the_time_of_their_last_sign(bench: Bench) -> None:
    bench.queue.see(WorkerState("ada", "f", "working", 1, 0, BEGINNING))
    bench.clock.time += 1.0
    bench.queue.see(WorkerState("bob", "f", "idle", 0, 0, BEGINNING))
    bench.clock.time += 1.0
    bench.queue.see(WorkerState("ada", "f", "stopped", 5, 2, BEGINNING))
    assert bench.queue.workers() == [
        WorkerState("ada", "f", "stopped", 5, 2, BEGINNING, BEGINNING + 2.0),
        WorkerState("bob", "f", "idle", 0, 0, BEGINNING, BEGINNING + 1.0),
    ]
    assert bench.queue.now() == BEGINNING + 2.0
