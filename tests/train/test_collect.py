"""Trajectories whose reward comes later: one step for both, nothing lost, nothing learned twice."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

import pytest
import torch

from fluvial.bench.known import grid
from fluvial.core.errors import FailedRunError
from fluvial.envs.hypergrid import Hypergrid
from fluvial.policy.log_z import LogZ
from fluvial.policy.model import Model
from fluvial.queue.records import PENDING, ScoredObject
from fluvial.replay.buffer import Priority, ReplayBuffer
from fluvial.rewards.conditions import Conditions
from fluvial.train.collect import collected
from fluvial.train.gather import Ledger
from fluvial.train.learner import Learner, LearningSettings, Problem
from fluvial.train.optimizers import OptimizerSettings, build_optimizer
from fluvial.train.scoring import StopWaitingError, patient
from fluvial.train.step import train_step

KNOWN = grid(Hypergrid(2, 8))


class Oracle:
    """Answers `per_wait` objects, the oldest first, whenever somebody waits; before that if `is_instant`."""

    def __init__(self, per_wait: int = 3, is_instant: bool = False) -> None:
        self.per_wait, self.is_instant = per_wait, is_instant
        self.open: dict[str, None] = {}
        self.closed: set[str] = set()
        self.waits = 0
        self.fail_at: int | None = None

    def __call__(self, texts: Sequence[str]) -> list[ScoredObject]:
        new = [text for text in texts if text not in self.closed]
        if self.is_instant:
            self.closed.update(new)
        else:
            self.open |= dict.fromkeys(new)
        return [
            KNOWN.objects[text] if text in self.closed else ScoredObject(text, None, PENDING)
            for text in texts
        ]

    def delays(self) -> dict[str, float]:
        return {}

    def is_spent(self) -> bool:
        return False

    def still_open(self) -> Collection[str]:
        return self.open

    def wait(self) -> None:
        self.waits += 1
        if self.waits == self.fail_at:
            raise StopWaitingError
        for text in list(self.open)[: self.per_wait]:
            del self.open[text]
            self.closed.add(text)


def a_problem(oracle: Oracle) -> tuple[Problem, Learner]:
    env = KNOWN.problem.env
    torch.manual_seed(0)
    model = Model(
        KNOWN.make_policy(Conditions().encoding_width, False, False), LogZ(Conditions().encoding_width)
    )
    learner = Learner(
        model,
        build_optimizer(model, OptimizerSettings(lr=1e-3, log_z_lr=0.1)),
        lambda step: 1.0,
        ReplayBuffer(1000, env.max_steps, Priority()),
        torch.Generator().manual_seed(0),
    )
    return Problem(env, oracle, Conditions(), answers=oracle), learner


SETTINGS = LearningSettings(batch=16, n_replayed=16, replay_start=1, most_waiting=64)


def test_no_delay_is_the_case_of_an_instant_reward() -> None:
    results = []
    for oracle in (Oracle(is_instant=True), KNOWN.problem.score):
        problem, learner = a_problem(Oracle())
        problem = dataclasses.replace(problem, score=oracle)
        for _ in range(4):
            train_step(problem, learner, SETTINGS)
        results.append(learner.model.state_dict())
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])


def test_patience_makes_a_slow_reward_an_instant_one() -> None:
    results = []
    for oracle in (Oracle(per_wait=5), Oracle(is_instant=True)):
        problem, learner = a_problem(oracle)
        problem = dataclasses.replace(problem, score=patient(oracle, oracle))
        objects = [train_step(problem, learner, SETTINGS).objects for _ in range(4)]
        results.append((learner.model.state_dict(), objects))
        assert len(learner.waiting) == 0
    assert results[0][1] == results[1][1]
    assert all(torch.equal(results[0][0][name], results[1][0][name]) for name in results[0][0])


def test_a_step_makes_as_many_as_are_answered_and_no_more_than_may_wait() -> None:
    oracle = Oracle()
    problem, learner = a_problem(oracle)
    told: list[str] = []
    for step in range(6):
        result = train_step(problem, learner, SETTINGS)
        assert len(result.objects) == 16
        assert len(learner.waiting) <= 64
        assert all(item.reward == KNOWN.objects[item.text].reward for item in result.objects)
        told += [item.text for item in result.objects]
        # The first step fills what may wait before it waits, and is one step.
        assert learner.step == step + 1
    assert oracle.waits > 0
    assert set(told) <= oracle.closed


def test_lag_and_what_waits_are_told() -> None:
    problem, learner = a_problem(Oracle())
    metrics = [train_step(problem, learner, SETTINGS).metrics for _ in range(6)]
    assert metrics[0]["policy_lag"] == 0.0
    assert metrics[5]["policy_lag_max"] >= metrics[5]["policy_lag"] > 0.0
    assert metrics[5]["waiting"] == len(learner.waiting)
    problem, learner = a_problem(Oracle(is_instant=True))
    assert not {"policy_lag", "waiting"} & set(train_step(problem, learner, SETTINGS).metrics)


def test_the_condition_is_that_of_the_making() -> None:
    oracle = Oracle(per_wait=1)
    problem, learner = a_problem(oracle)
    late, at_once = collected(problem, learner, SETTINGS, Ledger(problem.score))
    assert sum(len(part.objects) for part in [*late, *at_once]) == 16
    assert late[0].trajectories.log_behaviour.isfinite().all()
    expected = torch.tensor([KNOWN.objects[item.text].reward for item in late[0].objects]).log()
    torch.testing.assert_close(late[0].trajectories.log_reward, expected.float())


def test_training_on_learns_from_replay_while_nothing_comes() -> None:
    oracle = Oracle(per_wait=16)
    problem, learner = a_problem(oracle)
    settings = dataclasses.replace(SETTINGS, waits_for_room=False)
    first = train_step(problem, learner, settings)
    assert oracle.waits == 1, "nothing was known at all"
    assert first.objects
    asked = len(learner.waiting)
    before = {name: weight.clone() for name, weight in learner.model.state_dict().items()}
    results = [train_step(problem, learner, settings) for _ in range(8)]
    assert oracle.waits == 1
    assert asked <= len(learner.waiting) <= 64
    assert len(results) + 1 == learner.step
    assert any(not torch.equal(before[name], weight) for name, weight in learner.model.state_dict().items())


def test_a_step_that_is_broken_off_loses_nothing() -> None:
    oracle = Oracle(per_wait=2)
    problem, learner = a_problem(oracle)
    train_step(problem, learner, SETTINGS)
    n_waiting = len(learner.waiting)
    oracle.fail_at = oracle.waits + 1
    with pytest.raises(StopWaitingError):
        train_step(problem, learner, SETTINGS)
    assert learner.step == 1
    assert len(learner.waiting) >= n_waiting
    assert len(train_step(problem, learner, SETTINGS).objects) == 16


def test_a_failure_is_an_outcome_and_not_a_reward() -> None:
    oracle = Oracle(is_instant=True)
    problem, learner = a_problem(oracle)

    def fails_at_even_columns(texts: Sequence[str]) -> list[ScoredObject]:
        return [
            ScoredObject(item.text, None, "failed", "even") if int(item.text.split(",")[0]) % 2 == 0 else item
            for item in oracle(texts)
        ]

    result = train_step(dataclasses.replace(problem, score=fails_at_even_columns), learner, SETTINGS)
    n_failed = sum(item.reward is None for item in result.objects)
    assert 0 < n_failed < 16
    assert result.metrics["failed_share"] == n_failed / 16
    assert len(learner.replay) == len({item.text for item in result.objects if item.reward is not None})


def test_waiting_for_nobody_is_an_error() -> None:
    problem, _ = a_problem(Oracle())
    with pytest.raises(FailedRunError, match="resume"):
        dataclasses.replace(
            problem, answers=Problem(problem.env, problem.score, Conditions()).answers
        ).answers.wait()
