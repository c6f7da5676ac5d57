"""What every learning rule must do, whatever it learns."""

from __future__ import annotations

import copy
import io
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from conformance_cases import CASES, a_learner, a_problem, an_algorithm, fragments_world, world_of
from torch import Tensor

from fluvial.algorithms.algorithm import Experience, Models
from fluvial.algorithms.registry import ALGORITHMS
from fluvial.chem.vocabulary import Vocabulary
from fluvial.core.types import Trajectories
from fluvial.policy.uniform import UniformPolicy
from fluvial.sample.rollout import rollout
from fluvial.sample.score import evaluate
from fluvial.train.gather import Ledger, experience_of, rewarded
from fluvial.train.learner import Learner, LearningSettings, LocalSearch, Problem
from fluvial.train.step import StepResult, learn, train_step

IN_COMPANY = ("vargrad", "reinforce", "transition_db", "envelope_q")
"""Those whose loss of a trajectory depends on the others of its group, or on draws."""
EVERYTHING: dict[str, Any] = {
    "n_replayed": 8,
    "replay_start": 1,
    "search": LocalSearch(rounds=1, back=2),
    "lag": 0.5,
    "lag_share": 0.5,
    "length_normalise": True,
    "likelihood_weight": 0.1,
}
"""Settings by which a step does all that it can do."""


def prepared(
    name: str, is_missing: Callable[[str], bool] = lambda text: False, **changes: Any
) -> tuple[Problem, Learner, LearningSettings]:
    case = CASES[name]
    world = world_of(case)
    problem = a_problem(case, world, is_missing)
    numbers = {
        "batch": 16,
        "n_replayed": 0,
        "repeats": case.repeats,
        "algorithm": an_algorithm(case, problem),
    }
    return problem, a_learner(case, world, problem), LearningSettings(**{**numbers, **changes})


def weights(learner: Learner) -> list[Tensor]:
    modules = [learner.model, learner.average, *learner.copies.values()]
    return [value.clone() for module in modules for value in module.state_dict().values()]


def assert_same(mine: list[Tensor], theirs: list[Tensor]) -> None:
    assert all(torch.equal(first, second) for first, second in zip(mine, theirs, strict=True))


def assert_finite(result: StepResult) -> None:
    assert {"loss", "gradient_norm"} <= set(result.metrics)
    assert all(math.isfinite(value) for value in result.metrics.values()), result.metrics


def sampled(problem: Problem, n: int, seed: int = 0) -> Trajectories[Any]:
    """Trajectories of the uniform policy with known rewards, all of one condition."""
    generator = torch.Generator().manual_seed(seed)
    condition = problem.conditions.sample(1, generator).repeat(n)
    drawn = rollout(problem.env, UniformPolicy(problem.env), condition, generator)
    return rewarded(problem, drawn, Ledger(problem.score)).trajectories


def experience(problem: Problem, settings: LearningSettings, given: Trajectories[Any]) -> Experience:
    return experience_of(problem, given, settings, Ledger(problem.score), 0)


def models(learner: Learner) -> Models:
    return Models(learner.model, learner.copies.get("old", learner.model))


def test_every_algorithm_has_a_case() -> None:
    assert {case.algorithm for case in CASES.values()} == set(ALGORITHMS)


@pytest.mark.parametrize("name", list(CASES))
def test_a_step_gives_finite_numbers_and_moves_the_policy(name: str) -> None:
    problem, learner, settings = prepared(name)
    before = weights(learner)
    result = train_step(problem, learner, settings)
    assert_finite(result)
    assert len(result.objects) == 16
    assert (
        sum(value.grad.abs().sum() for value in learner.model.policy.parameters() if value.grad is not None)
        > 0
    )
    assert any(not torch.equal(old, new) for old, new in zip(before, weights(learner), strict=True))


@pytest.mark.parametrize("name", list(CASES))
def test_a_loss_for_each_trajectory(name: str) -> None:
    problem, learner, settings = prepared(name)
    given = sampled(problem, 12)
    learned = settings.algorithm(models(learner), experience(problem, settings, given), learner.generator)
    assert learned.loss.shape == (12,)
    assert learned.loss.dtype == torch.float32
    assert learned.loss.requires_grad
    assert bool(learned.loss.isfinite().all())


@pytest.mark.parametrize("name", CASES)
def test_what_comes_with_the_losses(name: str) -> None:
    problem, learner, settings = prepared(name)
    given = sampled(problem, 12)
    learned = settings.algorithm(models(learner), experience(problem, settings, given), learner.generator)
    for part in learned.parts.values():
        assert part.shape == (12,)
        assert bool(part.isfinite().all())
    assert all(value.dim() == 0 for value in learned.metrics.values())
    assert learned.log_z is None or bool(learned.log_z.isfinite().all())
    if learned.log_pf is not None:
        assert learned.log_pf.requires_grad
        expected = evaluate(learner.model.policy, given).log_pf()
        torch.testing.assert_close(learned.log_pf, expected)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.algorithm not in IN_COMPANY])
def test_the_losses_of_a_batch_are_those_of_its_trajectories(name: str) -> None:
    problem, learner, settings = prepared(name)
    given = sampled(problem, 12)
    learner.model.log_z.start_from(given.condition, torch.zeros(12))

    def losses(rows: Tensor) -> Tensor:
        known = experience(problem, settings, given.select(rows))
        return settings.algorithm(models(learner), known, learner.generator).loss.detach()

    alone = torch.cat([losses(torch.tensor([row])) for row in range(12)])
    assert len(set(alone.tolist())) > 1
    torch.testing.assert_close(losses(torch.arange(12)), alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", list(CASES))
def test_a_batch_of_one(name: str) -> None:
    problem, learner, settings = prepared(name, batch=1, repeats=1)
    for _ in range(3):
        assert_finite(train_step(problem, learner, settings))


@pytest.mark.parametrize("name", list(CASES))
def test_a_trajectory_that_stops_at_once(name: str) -> None:
    problem, learner, settings = prepared(name)
    draws = (sampled(problem, 1, seed) for seed in range(100))
    given = next(drawn for drawn in draws if len(drawn.mask) == 1)
    metrics, loss = learn(experience(problem, settings, given), learner, settings)
    assert loss.shape == (1,)
    assert all(math.isfinite(value) for value in metrics.values())


@pytest.mark.parametrize("name", list(CASES))
def test_missing_rewards_are_left_out(name: str) -> None:
    problem, learner, settings = prepared(
        name, is_missing=lambda text: "1" in text, batch=32, n_replayed=8, replay_start=1
    )
    for _ in range(2):
        result = train_step(problem, learner, settings)
        assert_finite(result)
        n_missing = sum(item.reward is None for item in result.objects)
        assert 0 < n_missing < 32
        assert result.metrics["failed_share"] == pytest.approx(n_missing / 32)
    assert len(learner.replay) > 0
    stored, _ = learner.replay.objects(problem.env, torch.arange(len(learner.replay)), "cpu")
    assert not any("1" in text for text in problem.env.decode(stored))


@pytest.mark.parametrize("name", list(CASES))
def test_nothing_known_changes_nothing(name: str) -> None:
    problem, learner, settings = prepared(name, is_missing=lambda text: True)
    before = weights(learner)
    result = train_step(problem, learner, settings)
    assert "loss" not in result.metrics
    assert learner.step == 1
    assert_same(before, weights(learner))


@pytest.mark.parametrize("name", list(CASES))
def test_the_same_seed_gives_the_same_numbers(name: str) -> None:
    courses = []
    for _ in range(2):
        problem, learner, settings = prepared(name, **EVERYTHING)
        metrics = [train_step(problem, learner, settings).metrics for _ in range(3)]
        courses.append((metrics, weights(learner)))
    assert courses[0][0] == courses[1][0]
    assert_same(courses[0][1], courses[1][1])


@pytest.mark.parametrize("name", list(CASES))
def test_a_restored_learner_goes_on_as_if_nothing_had_been(name: str) -> None:
    problem, learner, settings = prepared(name, **EVERYTHING)
    for _ in range(3):
        train_step(problem, learner, settings)
    saved = io.BytesIO()
    parts = [learner.model.state_dict(), learner.average.state_dict(), learner.state_dict()]
    torch.save(parts, saved)
    expected = [train_step(problem, learner, settings).metrics for _ in range(3)]
    torch.manual_seed(99)
    _, restored, _ = prepared(name, **EVERYTHING)
    model, average, state = torch.load(io.BytesIO(saved.getvalue()), weights_only=True)
    restored.model.load_state_dict(model)
    restored.average.load_state_dict(average)
    restored.load_state_dict(state)
    assert restored.step == 3
    assert [train_step(problem, restored, settings).metrics for _ in range(3)] == expected
    assert_same(weights(learner), weights(restored))
    assert ("old" in learner.copies) == (settings.algorithm.old_decay is not None)


@pytest.mark.parametrize("name", list(CASES))
def test_copies_are_not_the_weights(name: str) -> None:
    problem, learner, settings = prepared(name)
    first = copy.deepcopy(learner.model.state_dict())
    train_step(problem, learner, settings)
    now = dict(learner.model.named_parameters())
    for kept in [learner.average, *learner.copies.values()]:
        moved = 0
        for key, value in kept.named_parameters():
            assert not value.requires_grad
            # At first 1 part in 10 is remembered: 0.1 old + 0.9 new.
            torch.testing.assert_close(value, torch.lerp(first[key], now[key], 0.9), rtol=1e-5, atol=1e-7)
            moved += int(not torch.equal(now[key], value))
        assert moved > 0


@pytest.mark.parametrize("name", list(CASES))
def test_steps_on_molecules(three_fragments: Vocabulary, name: str) -> None:
    case, world = CASES[name], fragments_world(three_fragments)
    problem = a_problem(case, world)
    learner, algorithm = a_learner(case, world, problem), an_algorithm(case, problem)
    settings = LearningSettings(
        **{**EVERYTHING, "batch": 16, "repeats": case.repeats, "algorithm": algorithm}
    )
    before = weights(learner)
    for _ in range(2):
        assert_finite(train_step(problem, learner, settings))
    assert any(not torch.equal(old, new) for old, new in zip(before, weights(learner), strict=True))
