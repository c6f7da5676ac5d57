"""Workers: what is told, what is given back, and when they end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import pytest
from queue_kinds import ORACLE

from fluvial.core.errors import RewardError
from fluvial.queue import worker as worker_module
from fluvial.queue.jobs import Result, Retries
from fluvial.queue.memory_queue import MemoryQueue
from fluvial.queue.worker import UnavailableError, WorkerSettings, work

SETTINGS = WorkerSettings(ORACLE.fingerprint, batch=4, idle_exit_seconds=0.0)


@dataclass
class Scripted:
    """Evaluates by a function of the text; remembers the batches it got."""

    answer: Callable[[str], Result]
    batches: list[list[str]] = field(default_factory=list)
    is_closed: bool = False

    def evaluate(
        self, texts: Mapping[str, str], should_stop: Callable[[], bool]
    ) -> Iterator[tuple[str, Result]]:
        self.batches.append(list(texts.values()))
        for key, text in texts.items():
            if should_stop():
                return
            yield key, self.answer(text)

    def close(self) -> None:
        self.is_closed = True


def value(text: str) -> Result:
    return Result({"value": float(len(text))})


def filled(*texts: str) -> MemoryQueue:
    queue = MemoryQueue(Retries(backoff_seconds=0.0))
    queue.submit(ORACLE, texts)
    return queue


def run(queue: MemoryQueue, oracle: Scripted, settings: WorkerSettings = SETTINGS) -> object:
    return work(queue, oracle, "ada", settings, threading.Event())


def test_all_jobs_are_answered_in_batches() -> None:
    queue, oracle = filled(*"abcdefghij"), Scripted(value)
    state = run(queue, oracle)
    assert oracle.batches == [list("abcd"), list("efgh"), list("ij")]
    assert queue.counts().done == 10
    (seen,) = queue.workers()
    assert (seen.name, seen.state, seen.n_values, seen.n_failures) == ("ada", "stopped", 10, 0)
    assert state.n_values == 10  # type: ignore[attr-defined]


def test_failures_are_tried_again_alone_until_dead() -> None:
    crash = Result(reason="crashed", may_pass=True)
    oracle = Scripted(lambda text: crash if text == "b" else value(text))
    queue = filled(*"abc")
    run(queue, oracle)
    assert oracle.batches == [["a", "b", "c"], ["b"], ["b"]]
    assert (queue.counts().done, queue.counts().dead) == (2, 1)
    assert queue.failures()[0].reason == "crashed"


def test_a_stop_tells_what_is_known_and_gives_back_the_rest() -> None:
    stop = threading.Event()

    def answer(text: str) -> Result:
        if text == "b":
            stop.set()
        return value(text)

    queue = filled(*"abcdef")
    work(queue, Scripted(answer), "ada", SETTINGS, stop)
    counts = queue.counts()
    assert (counts.done, counts.ready, counts.leased) == (2, 4, 0)
    assert queue.events()["released"] == 2
    assert queue.claim("bob", ORACLE.fingerprint, 1, 1.0)[0].attempt == 1


def test_an_oracle_that_cannot_work_blames_no_job() -> None:
    def answer(text: str) -> Result:
        if text == "b":
            raise RewardError("no licence")
        return value(text)

    queue = filled(*"abc")
    with pytest.raises(RewardError, match="no licence"):
        run(queue, Scripted(answer))
    assert (queue.counts().done, queue.counts().ready) == (1, 2)
    assert queue.workers()[0].state == "stopped"


def test_a_worker_that_breaks_at_everything_stops_before_jobs_die() -> None:
    queue = filled(*(f"C{n}" for n in range(100)))
    queue.retries = Retries(backoff_seconds=60.0)
    with pytest.raises(RewardError, match=r"5 batches in a row broke.*because: no GPU"):
        run(queue, Scripted(lambda text: Result(reason="no GPU", may_pass=True)))
    counts = queue.counts()
    assert (counts.ready, counts.dead) == (100, 0)


def test_jobs_that_break_alone_again_do_not_stop_a_worker() -> None:
    queue = filled(*(f"C{n}" for n in range(40)))
    crash = Result(reason="crashed", may_pass=True)
    bad = {f"C{n}" for n in range(0, 40, 4)}
    run(queue, Scripted(lambda text: crash if text in bad else value(text)))
    assert (queue.counts().done, queue.counts().dead) == (30, 10)


def test_a_service_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def answer(text: str) -> Result:
        nonlocal calls
        calls += 1
        if calls <= 2:
            raise UnavailableError("service is busy")
        return value(text)

    queue = filled("a")
    run(queue, Scripted(answer))
    assert queue.answers()[0].attempts == 1
    monkeypatch.setattr(worker_module, "MOST_UNAVAILABLE_SECONDS", 0.0)
    calls = -100
    with pytest.raises(RewardError, match=r"service is busy\. Check that it runs"):
        run(filled("a"), Scripted(answer))


def test_heartbeats_keep_a_long_evaluation() -> None:
    def answer(text: str) -> Result:
        time.sleep(0.5)
        assert queue.claim("bob", ORACLE.fingerprint, 1, 1.0) == []
        return value(text)

    queue = filled("a")
    run(queue, Scripted(answer), WorkerSettings(ORACLE.fingerprint, lease_seconds=0.2, idle_exit_seconds=0.0))
    assert queue.answers()[0].attempts == 1
    assert queue.events()["expired"] == 0


def test_results_are_told_while_the_batch_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "FLUSH_SECONDS", 0.0)
    seen: list[int] = []

    def answer(text: str) -> Result:
        seen.append(queue.counts().done)
        return value(text)

    queue = filled(*"abcd")
    run(queue, Scripted(answer))
    assert seen == [0, 1, 2, 3]


def test_workers_wait_go_home_when_drained_and_work_while_not() -> None:
    queue = filled("a")
    stop = threading.Event()
    settings = WorkerSettings(ORACLE.fingerprint)
    thread = threading.Thread(target=work, args=(queue, Scripted(value), "ada", settings, stop))
    thread.start()
    deadline = time.monotonic() + 10.0
    while queue.counts().done < 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    queue.submit(ORACLE, ["b"])
    while queue.counts().done < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert thread.is_alive()
    queue.set_controls(draining=True)
    thread.join(10.0)
    assert not thread.is_alive()
    assert queue.counts().done == 2
