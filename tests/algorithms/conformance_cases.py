"""Every learning rule with a problem that suits it, on grids and on molecules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from fluvial.algorithms.algorithm import Algorithm
from fluvial.algorithms.registry import ALGORITHMS, BACKWARD_RULES, Ingredients
from fluvial.chem.vocabulary import Vocabulary
from fluvial.core.enumeration import enumerate_states
from fluvial.core.environment import Environment
from fluvial.envs.fragments.environment import Fragments
from fluvial.envs.hypergrid import Hypergrid, corners_reward
from fluvial.nets.graph_transformer import GraphTransformer
from fluvial.policy.envelope import EnvelopePolicy
from fluvial.policy.graph import GraphPolicy
from fluvial.policy.log_z import LogZ
from fluvial.policy.model import Model
from fluvial.policy.module import PolicyModule
from fluvial.policy.tabular import TabularPolicy
from fluvial.policy.uniform import UniformPolicy
from fluvial.policy.vector import VectorPolicy
from fluvial.queue.records import ScoredObject
from fluvial.replay.buffer import Priority, ReplayBuffer
from fluvial.rewards.conditions import Conditions
from fluvial.rewards.preferences import Preferences
from fluvial.train.learner import Learner, Problem
from fluvial.train.optimizers import OptimizerSettings, build_optimizer

Terms = Callable[[str], tuple[float, float]]
"""An object's text to two reward terms; the first one is its reward where there are no preferences."""


@dataclass(frozen=True)
class Case:
    """A learning rule, its options, and the kind of problem that it is for."""

    algorithm: str
    options: Mapping[str, Any] = field(default_factory=dict)
    backward: str = "uniform"
    has_preferences: bool = False
    is_forward_looking: bool = False

    @property
    def repeats(self) -> int:
        """Trajectories of equal condition, which baselines need."""
        return 4 if self.has_preferences else 1


CASES: dict[str, Case] = {
    **{name: Case(name, has_preferences=name == "envelope_q") for name in ALGORITHMS},
    "reinforce with preferences": Case("reinforce", has_preferences=True),
    "tb with preferences": Case("tb", has_preferences=True),
    "forward-looking db": Case("db", is_forward_looking=True),
    "subtb of all parts": Case("subtb", {"decay": 1.0}),
    "balanced fm": Case("fm", {"balanced": True}),
}


@dataclass(frozen=True)
class World:
    """An environment, reward terms, and networks for it."""

    env: Environment[Any]
    terms: Terms
    net: Callable[[int], PolicyModule]
    """From the width of the condition's encoding to untrained weights."""


def grid_world() -> World:
    """A grid of 8 x 8 points with the corners reward, and tables of its states."""
    env = Hypergrid(2, 8)
    graph = enumerate_states(env)

    states = graph.states[graph.is_terminal]
    reward = dict(zip(env.decode(states), corners_reward(states.coordinate, 8).tolist(), strict=True))
    return World(
        env, lambda text: (reward[text], 1.0), lambda width: TabularPolicy(env, graph, learn_backward=False)
    )


def conflict_world() -> World:
    """A grid of 3 x 3 points with terms of 0.1 to 2.1, the one best at "2,0" and the other at "0,2"."""
    env = Hypergrid(2, 3)

    def terms(text: str) -> tuple[float, float]:
        x, y = map(int, text.split(","))
        return 0.1 + x * (2 - y) / 2, 0.1 + y * (2 - x) / 2

    return World(env, terms, lambda width: VectorPolicy(env, width, 64, 2, learn_backward=False))


def fragments_world(vocabulary: Vocabulary) -> World:
    """Molecules of at most 2 fragments; the reward is the length of their text."""
    env = Fragments(vocabulary, 2)

    def net(width: int) -> PolicyModule:
        return GraphPolicy(env, GraphTransformer(env.sizes, width, 16, 1, 2), learn_backward=False)

    return World(env, lambda text: (float(len(text)), 20.0 / len(text)), net)


def world_of(case: Case) -> World:
    """A grid for the case."""
    return conflict_world() if case.has_preferences else grid_world()


def a_problem(case: Case, world: World, is_missing: Callable[[str], bool] = lambda text: False) -> Problem:
    """What the case samples; objects whose reward is missing have failed."""

    def score(texts: Sequence[str]) -> list[ScoredObject]:
        return [
            ScoredObject(text, None, "failed")
            if is_missing(text)
            else ScoredObject(text, world.terms(text)[0])
            for text in texts
        ]

    if case.has_preferences:
        return Problem(
            world.env, score, Conditions(weights=Preferences(2)), terms=partial(tabulated, world.terms)
        )
    return Problem(world.env, score, Conditions())


def tabulated(terms: Terms, objects: Sequence[ScoredObject]) -> Tensor:
    """The terms of each object, float64 [B, 2]; nan where its reward is missing."""
    nothing = (torch.nan, torch.nan)
    rows = [nothing if item.reward is None else terms(item.text) for item in objects]
    return torch.tensor(rows, dtype=torch.float64)


def an_algorithm(case: Case, problem: Problem) -> Algorithm:
    """The learning rule with what it needs."""
    conditions = problem.conditions
    ingredients = Ingredients(
        problem.env,
        is_forward_looking=case.is_forward_looking,
        prior=UniformPolicy(problem.env),
        other_preferences=conditions.others if isinstance(conditions, Conditions) else None,
    )
    rule = BACKWARD_RULES[case.backward](ingredients)
    return ALGORITHMS[case.algorithm](ingredients, rule, **case.options)


def a_learner(case: Case, world: World, problem: Problem, lr: float = 0.01) -> Learner:
    """Untrained weights, the same each time, and an empty replay buffer."""
    torch.manual_seed(0)
    width = problem.conditions.encoding_width
    policy = world.net(width)
    if case.algorithm == "envelope_q":
        policy = EnvelopePolicy(problem.env, [policy, world.net(width)])
    model = Model(policy, LogZ(width))
    copies = {"lagged": 0.5, "old": an_algorithm(case, problem).old_decay}
    return Learner(
        model,
        build_optimizer(model, OptimizerSettings(lr=lr, log_z_lr=0.1)),
        lambda step: 1.0,
        ReplayBuffer(1000, problem.env.max_steps, Priority(), 2 * case.has_preferences),
        torch.Generator().manual_seed(0),
        {name: decay for name, decay in copies.items() if decay is not None},
    )
