from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from fluvial.core.reward_batch import Outcome
from fluvial.queue.jobs import Oracle, Report, Result
from fluvial.queue.memory_queue import MemoryQueue
from fluvial.rewards.filters import range_filter
from fluvial.rewards.queued import QueuedTerms
from fluvial.rewards.reward import Reward
from fluvial.rewards.terms import Term, function_term, property_term
from fluvial.rewards.transforms import identity

DOCKING = Oracle("docking", {"target": "7ABC"})


def length(texts: list[str]) -> list[float]:
    return [float(len(text)) for text in texts]


def queued_reward(
    terms: Sequence[Term], oracles: Mapping[str, Oracle], **options: object
) -> tuple[Reward, MemoryQueue]:
    queue = MemoryQueue()
    queued = QueuedTerms([term for term in terms if term.name in oracles], oracles)
    queued.connect(queue)
    return Reward(terms, queued=queued, **options), queue  # type: ignore[arg-type]


def answer(queue: MemoryQueue, oracle: Oracle, results: Mapping[str, Result]) -> None:
    jobs = {job.text: job for job in queue.claim("w", oracle.fingerprint, 1000, 60.0)}
    queue.report([Report(jobs[text], result) for text, result in results.items()])
    queue.release([job for text, job in jobs.items() if text not in results])


def test_the_same_values_come_late_as_at_once() -> None:
    terms = [function_term(length, label="length"), property_term("qed"), property_term("sa")]
    reward, queue = queued_reward(terms, {"length": DOCKING})
    asked = ["CCO", "c1ccccc1", "CCO"]
    first = reward(asked)
    assert list(first.outcome) == [Outcome.PENDING] * 3
    assert np.isnan(first.reward).all()
    assert queue.counts().submitted == 2
    answer(queue, DOCKING, {"CCO": Result({"value": 3.0})})
    assert list(reward(asked).outcome) == [Outcome.VALUE, Outcome.PENDING, Outcome.VALUE]
    answer(queue, DOCKING, {"c1ccccc1": Result({"value": 8.0})})
    late, at_once = reward(asked), Reward(terms)(asked)
    np.testing.assert_array_equal(late.reward, at_once.reward)
    np.testing.assert_array_equal(late.values, at_once.values)
    assert {name: list(cells) for name, cells in late.raw.items()} == {
        name: list(cells) for name, cells in at_once.raw.items()
    }


def test_delays_are_told_once_and_only_of_what_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    terms = [function_term(length, label="length"), property_term("qed")]
    reward, queue = queued_reward(terms, {"length": DOCKING})
    queued = reward.queued
    assert queued is not None
    assert queued.delays() == {}
    reward(["CCO"])
    now[0] = 102.0
    reward(["C", "N"])
    now[0] = 105.0
    answer(queue, DOCKING, {"CCO": Result({"value": 3.0}), "C": Result({"value": 1.0})})
    reward(["CCO", "C"])
    assert queued.delays() == {"latency_seconds": 4.0, "latency_seconds_max": 5.0, "queue_age_seconds": 3.0}
    assert queued.delays() == {"queue_age_seconds": 3.0}


def test_only_what_passes_is_asked_about() -> None:
    def refuse(texts: list[str]) -> list[float | None]:
        return [None if text == "CCCC" else 1.0 for text in texts]

    terms = [function_term(refuse, label="cheap"), function_term(length, label="dear")]
    filters = [range_filter("mw", 40.0, None)]
    reward, queue = queued_reward(terms, {"dear": DOCKING}, filters=filters)
    found = reward(["C", "CCCC", "CCO", "C1CC"])
    assert list(found.outcome) == [Outcome.FILTERED, Outcome.FAILED, Outcome.PENDING, Outcome.INVALID]
    assert found.reward[0] == reward.floor
    assert [job.text for job in queue.claim("w", DOCKING.fingerprint, 9, 60.0)] == ["CCO"]


def test_a_failure_is_missing_and_says_why() -> None:
    reward, queue = queued_reward([function_term(length, label="dear")], {"dear": DOCKING})
    reward(["CCO", "CC"])
    answer(queue, DOCKING, {"CCO": Result(reason="no pose")})
    for _ in range(3):
        answer(queue, DOCKING, {"CC": Result(reason="crashed", may_pass=True)})
        for row in queue._rows.values():
            row.life = row.life._replace(due=0.0) if row.life.due is not None else row.life
    found = reward(["CCO", "CC"])
    assert list(found.outcome) == [Outcome.FAILED, Outcome.FAILED_FOR_NOW]
    assert np.isnan(found.reward).all()
    assert "no pose" in found.info[0]
    queue.revive(DOCKING.fingerprint)
    answer(queue, DOCKING, {"CC": Result({"value": 2.0})})
    assert reward(["CC"]).reward[0] == 2.0


def test_terms_of_one_oracle_share_its_answers() -> None:
    def elsewhere(texts: Sequence[str], mols: Sequence[object]) -> list[float]:
        raise AssertionError("asked here")

    terms = [
        Term(name, "oracle", "oracle docking", elsewhere, identity, output=name)  # type: ignore[arg-type]
        for name in ("affinity", "strain")
    ]
    reward, queue = queued_reward(terms, dict.fromkeys(("affinity", "strain"), DOCKING))
    reward(["CCO", "CC"])
    assert queue.counts().submitted == 2
    both = Result({"affinity": 2.0, "strain": 3.0, "poses": 9.0})
    answer(queue, DOCKING, {"CCO": both, "CC": Result({"affinity": 2.0, "strain": None}, "no strain")})
    found = reward(["CCO", "CC"])
    assert found.reward[0] == 6.0
    assert found.raw["poses"][0] == 9.0
    assert found.outcome[1] == Outcome.FAILED
    assert "strain" in found.info[1]


def test_two_oracles_must_both_have_answered() -> None:
    other = Oracle("assay")
    terms = [function_term(length, label="a"), function_term(length, label="b")]
    reward, queue = queued_reward(terms, {"a": DOCKING, "b": other})
    reward(["CCO"])
    answer(queue, DOCKING, {"CCO": Result({"value": 2.0})})
    assert reward(["CCO"]).outcome[0] == Outcome.PENDING
    answer(queue, other, {"CCO": Result({"value": 5.0})})
    assert reward(["CCO"]).reward[0] == 10.0


def test_what_a_draining_queue_refuses_is_asked_again() -> None:
    reward, queue = queued_reward([function_term(length, label="dear")], {"dear": DOCKING})
    queue.set_controls(draining=True)
    assert reward(["CCO"]).outcome[0] == Outcome.PENDING
    assert queue.counts().submitted == 0
    queue.set_controls(draining=False)
    reward(["CC"])
    assert queue.counts().submitted == 2


def test_a_wait_ends_with_an_answer_or_with_its_time() -> None:
    reward, queue = queued_reward([function_term(length, label="dear")], {"dear": DOCKING})
    assert reward.queued is not None
    reward(["CCO"])
    started = time.process_time()
    assert not reward.queued.wait(0.3)
    assert time.process_time() - started < 0.2
    late = threading.Timer(0.05, answer, (queue, DOCKING, {"CCO": Result({"value": 1.0})}))
    late.start()
    assert reward.queued.wait(30.0)
    assert reward.queued.still_open() == set()
    late.join()


def test_a_queue_must_be_there() -> None:
    queued = QueuedTerms([function_term(length, label="dear")], {"dear": DOCKING})
    with pytest.raises(RuntimeError, match="connect"):
        queued.still_open() or queued.queue


def test_a_budget_is_kept_exactly_and_what_is_beyond_it_has_no_reward() -> None:
    terms = [function_term(length, label="on"), function_term(length, label="off"), property_term("qed")]
    on, off = Oracle("on"), Oracle("off")
    oracles = {"on": on, "off": off}
    queue = MemoryQueue()
    queue.submit(off, ["C", "old"])
    queued = QueuedTerms(terms[:2], oracles, budgets={on.fingerprint: 9, off.fingerprint: 4})
    queued.connect(queue)
    reward = Reward(terms, queued=queued)
    assert not queued.is_spent
    asked = ["CC", "CCC", "CCCC", "C"]
    first = reward(asked)
    assert list(first.outcome) == [
        Outcome.PENDING, Outcome.PENDING, Outcome.FAILED_FOR_NOW, Outcome.PENDING
    ]  # fmt: skip
    assert first.info[2] == "the 4 calls of off are spent; raise max_calls to ask for more"
    assert np.isnan(first.reward[2])
    assert queued.is_spent
    assert (queue.counts(on.fingerprint).submitted, queue.counts(off.fingerprint).submitted) == (3, 4)
    for oracle in (on, off):
        answer(queue, oracle, {text: Result({"value": 2.0}) for text in ("C", "CC", "CCC")})
    again = reward(asked)
    assert [int(one) for one in again.outcome] == [
        Outcome.VALUE, Outcome.VALUE, Outcome.FAILED_FOR_NOW, Outcome.VALUE
    ]  # fmt: skip
    assert queued.still_open() == set()
    later = QueuedTerms(terms[:2], oracles, budgets={off.fingerprint: 5})
    later.connect(queue)
    assert not later.is_spent
    assert list(Reward(terms, queued=later)(["CCCC"]).outcome) == [Outcome.PENDING]
    assert later.is_spent


def test_another_run_may_spend_the_budget_too() -> None:
    queue, budget = MemoryQueue(), {DOCKING.fingerprint: 2}
    one, other = (QueuedTerms([property_term("qed")], {"qed": DOCKING}, budgets=budget) for _ in range(2))
    for queued in (one, other):
        queued.connect(queue)
    rewards = [Reward([property_term("qed")], queued=queued) for queued in (one, other)]
    assert list(rewards[0](["C", "CC"]).outcome) == [Outcome.PENDING] * 2
    assert not other.is_spent
    found = rewards[1](["CC", "CCC"])
    assert list(found.outcome) == [Outcome.PENDING, Outcome.FAILED_FOR_NOW]
    assert other.is_spent
    assert queue.counts().submitted == 2
