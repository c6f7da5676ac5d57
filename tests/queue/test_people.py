from __future__ import annotations

import math

import pytest

from fluvial.core.errors import ConfigError
from fluvial.queue.jobs import Oracle
from fluvial.queue.memory_queue import MemoryQueue
from fluvial.queue.people import ask, tell

ASSAY = Oracle("assay")


def test_people_answer_what_they_asked_for() -> None:
    queue = MemoryQueue()
    queue.submit(ASSAY, ["A", "B", "C", "D", "E"])
    jobs = ask(queue, 4)
    assert list(jobs) == ["A", "B", "C", "D"]
    assert list(ask(queue, 4)) == ["E"], "what is out is nobody else's"
    found = {"A": 6.5, "B": math.nan, "C": {"ic50": 3.0, "hill": None}, "D": "broke"}
    assert tell(queue, jobs, found) == 4
    ends = queue.known(ASSAY.fingerprint, ["A", "B", "C", "D"])
    assert [(end.state, end.values) for end in ends.values()] == [
        ("done", {"value": 6.5}),
        ("failed", {}),
        ("done", {"ic50": 3.0, "hill": None}),
        ("failed", {}),
    ]
    assert ends["D"].reason == "broke"
    assert tell(queue, jobs, {"A": 1.0}) == 0, "the first answer stays"
    assert queue.counts().leased == 1


def test_time_brings_objects_back() -> None:
    now = [0.0]
    queue = MemoryQueue(clock=lambda: now[0])
    queue.submit(ASSAY, ["A"])
    jobs = ask(queue, 1, days=1.0)
    now[0] = 90_000.0
    later = ask(queue, 1)
    now[0] += 1.0
    assert set(later) | set(ask(queue, 1)) <= {"A"}
    assert tell(queue, jobs, {"A": 2.0}) == 1, "a value is as good late as early"


def test_questions_to_the_wrong_ones_are_errors() -> None:
    queue = MemoryQueue()
    with pytest.raises(ConfigError, match="nothing was asked"):
        ask(queue, 1)
    queue.submit(ASSAY, ["A"])
    queue.submit(Oracle("other"), ["A"])
    with pytest.raises(ConfigError, match="several oracles"):
        ask(queue, 1)
    assert list(ask(queue, 1, oracle="assay")) == ["A"]
    with pytest.raises(ConfigError, match="'Z' is not among"):
        tell(queue, {}, {"Z": 1.0})
