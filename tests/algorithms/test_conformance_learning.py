"""What learning rules end at, from sampling to the exact distribution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from conformance_cases import (
    CASES,
    Case,
    World,
    a_learner,
    a_problem,
    an_algorithm,
    conflict_world,
    world_of,
)
from torch import Tensor

from fluvial.algorithms.registry import PROPORTIONAL
from fluvial.core.enumeration import StateGraph, enumerate_states
from fluvial.envs.hypergrid import Hypergrid
from fluvial.envs.sequences.environment import Sequences
from fluvial.metrics.exact import exact_log_probability, group_by_text, total_variation
from fluvial.metrics.paths import log_path_counts
from fluvial.policy.envelope import EnvelopePolicy
from fluvial.policy.module import PolicyModule
from fluvial.policy.tabular import TabularPolicy
from fluvial.rewards.conditions import Conditions
from fluvial.rewards.temperature import Temperature
from fluvial.sample.rollout import rollout
from fluvial.testing.courses import Courses
from fluvial.train.gather import Ledger, rewarded
from fluvial.train.learner import Learner, LearningSettings, Problem
from fluvial.train.step import train_step

GREEDY = {"a2c": 2.5, "reinforce": 2.5, "reinforce with preferences": 1.0}
"""Those that maximise the reward, and the mean reward that they reach. The best object of the grid is worth
2.6; the best of one of two conflicting terms, served to every preference, is worth 1.1."""
CURIOUS: dict[str, Any] = {"epsilon": lambda step: 0.3}
"""Exploration of greedy rules that are told the preference: what they try little they know little of."""


def trained(case: Case, world: World, n_steps: int, lr: float, **changes: Any) -> tuple[Problem, Learner]:
    """The problem, and what has learned it from trajectories of its own with a share of random actions."""
    problem = a_problem(case, world)
    learner = a_learner(case, world, problem, lr)
    numbers = {"batch": 32, "n_replayed": 0, "repeats": case.repeats, "epsilon": lambda step: 0.1}
    settings = LearningSettings(algorithm=an_algorithm(case, problem), **{**numbers, **changes})
    for _ in range(n_steps):
        train_step(problem, learner, settings)
    return problem, learner


def probabilities(policy: PolicyModule, graph: StateGraph[Any]) -> Tensor:
    """Of the terminal states, float64 [S]."""

    def log_probs(states: Any) -> Tensor:
        forward: Tensor = policy(states, Conditions().fixed(len(states), 1.0)).forward.log_probs
        return forward

    return exact_log_probability(graph, log_probs)[graph.is_terminal].exp()


def rewards(world: World, graph: StateGraph[Any]) -> Tensor:
    """Of the terminal states, float64 [S]."""
    texts = world.env.decode(graph.states[graph.is_terminal])
    return torch.tensor([world.terms(text)[0] for text in texts], dtype=torch.float64)


def mean_reward(problem: Problem, policy: PolicyModule) -> float:
    """Of 500 objects under sampled conditions."""
    generator = torch.Generator().manual_seed(1)
    drawn = rollout(problem.env, policy, problem.conditions.sample(500, generator), generator)
    return float(rewarded(problem, drawn, Ledger(problem.score)).trajectories.log_reward.exp().mean())


@pytest.mark.parametrize("name", list(GREEDY))
def test_greedy_rules_find_high_rewards(name: str) -> None:
    case = CASES[name]
    world = world_of(case)
    if case.has_preferences:
        problem, learner = trained(case, world, 250, 0.003, **CURIOUS)
    else:
        problem, learner = trained(case, world, 100, 0.2)
    before = mean_reward(problem, a_learner(case, world, problem).model.policy)
    after = mean_reward(problem, learner.model.policy)
    assert after > 1.5 * before
    assert after > GREEDY[name]


def test_reinforce_learns_only_from_what_differs_within_a_group() -> None:
    case, world = CASES["reinforce"], conflict_world()
    for conditions, repeats, is_moved in [
        (Conditions(), 1, True),
        (Conditions(Temperature("uniform", (1.0, 2.0))), 1, False),
        (Conditions(Temperature("uniform", (1.0, 2.0))), 4, True),
    ]:
        problem = replace(a_problem(case, world), conditions=conditions)
        learner = a_learner(case, world, problem)
        before = [value.clone() for value in learner.model.policy.parameters()]
        settings = LearningSettings(
            batch=16, n_replayed=0, repeats=repeats, algorithm=an_algorithm(case, problem)
        )
        train_step(problem, learner, settings)
        after = learner.model.policy.parameters()
        assert any(not torch.equal(old, new) for old, new in zip(before, after, strict=True)) == is_moved


@pytest.mark.parametrize("name", [*PROPORTIONAL, "rtb", "forward-looking db", "balanced fm"])
def test_proportional_rules_approach_the_target(name: str) -> None:
    case = CASES[name]
    world = world_of(case)
    _, learner = trained(case, world, 250 if case.is_forward_looking else 120, 0.2)
    graph = enumerate_states(world.env)
    untrained = probabilities(world.net(0), graph)
    target = rewards(world, graph) * (untrained if name == "rtb" else 1.0)
    errors = [
        total_variation(p, target / target.sum())
        for p in (probabilities(learner.model.policy, graph), untrained)
    ]
    assert errors[0] < 0.55 * errors[1]
    assert errors[1] > 0.25


# Soft Q-learning with log P_B = 0

TREES: dict[str, Callable[[], Any]] = {
    "line": lambda: Hypergrid(1, 6),
    "menus of one course": lambda: Courses(2, 3, 1),
    "words": lambda: Sequences("ab", max_length=3),
}


def varied(text: str) -> tuple[float, float]:
    """Rewards between 1 and 3 without a pattern."""
    return 1.0 + sum(map(ord, text)) * 7 % 11 / 5, 1.0


def tabular_world(env: Any) -> World:
    graph = enumerate_states(env)
    return World(env, varied, lambda width: TabularPolicy(env, graph, learn_backward=False))


def by_soft_q(world: World, graph: StateGraph[Any], backward: str) -> Tensor:
    """What soft Q-learning ends at: the probability of each distinct text, float64 [G]."""
    case = Case("soft_q", backward=backward)
    _, learner = trained(case, world, 250, 0.1, epsilon=lambda step: 0.5, batch=16)
    return of_texts(world, graph, probabilities(learner.model.policy, graph))


def of_texts(world: World, graph: StateGraph[Any], weight: Tensor) -> Tensor:
    """Normalised weights float64 [S] of the terminal states, summed over those of equal text, float64 [G]."""
    texts = world.env.decode(graph.states[graph.is_terminal])
    return group_by_text(texts, weight / weight.sum())[1]


@pytest.mark.parametrize("name", list(TREES))
def test_soft_q_without_p_b_is_right_on_trees(name: str) -> None:
    world = tabular_world(TREES[name]())
    graph = enumerate_states(world.env)
    target = of_texts(world, graph, rewards(world, graph))
    assert total_variation(by_soft_q(world, graph, "none"), target) < 0.01
    untrained = of_texts(world, graph, probabilities(world.net(0), graph))
    assert total_variation(untrained, target) > 0.1


def test_soft_q_without_p_b_counts_the_ways_elsewhere() -> None:
    world = tabular_world(Hypergrid(2, 3))
    graph = enumerate_states(world.env)
    ways = log_path_counts(world.env, graph)[graph.is_terminal].exp()
    # 1, 2 and 6 to the points of the diagonal.
    assert sorted(ways.tolist()) == pytest.approx([1, 1, 1, 1, 1, 2, 3, 3, 6])
    target = of_texts(world, graph, rewards(world, graph))
    found = by_soft_q(world, graph, "none")
    assert total_variation(found, of_texts(world, graph, ways * rewards(world, graph))) < 0.01
    assert total_variation(found, target) > 0.2
    assert total_variation(by_soft_q(world, graph, "uniform"), target) < 0.01


# Envelope Q-learning


def test_envelope_q_serves_every_preference_with_its_own_best_object() -> None:
    world = conflict_world()
    problem, learner = trained(CASES["envelope_q"], world, 250, 0.003, **CURIOUS)
    conditions = problem.conditions
    assert isinstance(conditions, Conditions)
    untrained = a_learner(CASES["envelope_q"], world, problem).model.policy
    # The best objects are worth 0.1 + 2 max w, which is 1.52 on average.
    assert mean_reward(problem, learner.model.policy) > max(1.4, 1.5 * mean_reward(problem, untrained))
    preferences = conditions.at(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.8, 0.2], [0.2, 0.8]]))
    drawn = rollout(world.env, learner.model.policy, preferences, torch.Generator().manual_seed(0))
    assert world.env.decode(drawn.final_states) == ["2,0", "0,2", "2,0", "0,2"]


def test_envelope_q_acts_nearly_greedily_by_its_weighted_values() -> None:
    case, world = CASES["envelope_q"], conflict_world()
    problem = a_problem(case, world)
    policy = a_learner(case, world, problem).model.policy
    assert isinstance(policy, EnvelopePolicy)
    condition = problem.conditions.sample(6, torch.Generator().manual_seed(0))
    states = world.env.encode(["0,0", "1,0", "2,0", "0,1", "1,1", "2,2"]).states
    states = type(states)(states.coordinate, torch.zeros(6, dtype=torch.bool))
    values, mask = policy.values(states, condition), world.env.mask(states)
    worth = values[:, :, 0] * condition.weights[:, :1] + values[:, :, 1] * condition.weights[:, 1:]
    expected = (100.0 * worth).masked_fill(~mask, -torch.inf).softmax(dim=1)
    torch.testing.assert_close(policy(states, condition).forward.log_probs.exp(), expected)
