"""Training on problems of which every object is known, and the exact distribution that comes of it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from fluvial.algorithms.algorithm import Algorithm
from fluvial.algorithms.registry import (
    ALGORITHMS,
    BACKWARD_RULES,
    COUNTED_BACKWARD,
    LEARNED_BACKWARD,
    Ingredients,
)
from fluvial.core.enumeration import StateGraph, enumerate_states
from fluvial.core.environment import Environment
from fluvial.core.policy import Policy
from fluvial.core.types import Condition
from fluvial.metrics.exact import backward_weights, exact_log_probability, group_by_text, total_variation
from fluvial.policy.envelope import EnvelopePolicy
from fluvial.policy.log_z import LogZ
from fluvial.policy.model import Model
from fluvial.policy.module import PolicyModule
from fluvial.policy.trunks import SeparateTrunks
from fluvial.policy.uniform import UniformPolicy
from fluvial.queue.records import ScoredObject
from fluvial.replay.buffer import Priority, ReplayBuffer
from fluvial.rewards.conditions import Conditions
from fluvial.train.learner import Learner, LearningSettings, Problem
from fluvial.train.optimizers import OptimizerSettings, build_optimizer, build_schedule
from fluvial.train.rules import exact_counts
from fluvial.train.scoring import RewardFunction, scored_objects
from fluvial.train.step import StepResult, train_step

LAST_SHARE = 0.1
"""Share of the steps, the last ones, over which estimates of log Z are averaged; arbitrary."""
CAPACITY = 1000
"""Objects that replay holds: more than any of these problems has; arbitrary."""

MakePolicy = Callable[[int, bool, bool], PolicyModule]
"""`make(condition_width, learn_backward, count_paths)`: an untrained network."""


@dataclass(frozen=True)
class KnownProblem:
    """A problem, all of its objects, and what each is worth."""

    problem: Problem
    graph: StateGraph[Any]
    """Its states, equivalent ones merged: enough for policies that no numbering matters to."""
    texts: list[str]
    """Of the terminal states, in the order of the graph."""
    objects: Mapping[str, ScoredObject]
    """The X objects by text, in order of appearance."""
    make_policy: MakePolicy
    n_terms: int = 0
    """K, reward terms of each object where preferences weigh them."""

    @property
    def reward(self) -> Tensor:
        """R of each object, float64 [X]."""
        return torch.tensor([item.reward for item in self.objects.values()], dtype=torch.float64)


def known_problem(env: Environment[Any], reward: RewardFunction, make_policy: MakePolicy) -> KnownProblem:
    """Every state of the environment listed, and every object scored once.

    Raises:
        DataError: too many states to list.
    """
    graph = enumerate_states(env)
    texts = env.decode(graph.states[graph.is_terminal])
    objects = {item.text: item for item in scored_objects(reward, list(dict.fromkeys(texts)))}

    def score(asked: Sequence[str]) -> list[ScoredObject]:
        return [objects[text] for text in asked]

    return KnownProblem(Problem(env, score, Conditions()), graph, texts, objects, make_policy)


@dataclass(frozen=True)
class Recipe:
    """A learning rule by name, and all that goes with it."""

    objective: str = "tb"
    backward: str = "uniform"
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the objective."""
    ingredients: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `Ingredients`."""
    learning: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `LearningSettings`; without them all trajectories are drawn by the current policy."""
    has_two_trunks: bool = False
    """Whether P_B has a network of its own."""
    steps: int = 2000
    batch: int = 16
    epsilon: float = 0.0
    """Share of uniform actions, at all steps."""
    lr: float = 2e-3
    log_z_lr: float = 0.1
    final_lr_fraction: float = 0.01
    ema_decay: float = 0.99


@dataclass(frozen=True)
class Trained:
    """What training led to."""

    policy: PolicyModule
    """The one with averaged weights."""
    log_z: float
    """Mean of the last estimates; nan where the rule gives none."""


def train(known: KnownProblem, recipe: Recipe, seed: int) -> Trained:
    """The policy after training by the recipe.

    Raises:
        NonFiniteLossError: training diverged.
    """
    learner, step = begin(known, recipe, seed)
    metrics = [step().metrics for _ in range(recipe.steps)]
    last = metrics[-math.ceil(LAST_SHARE * recipe.steps) :]
    estimates = [numbers["log_z"] for numbers in last if "log_z" in numbers]
    return Trained(learner.average.policy, statistics.mean(estimates) if estimates else math.nan)


def begin(known: KnownProblem, recipe: Recipe, seed: int) -> tuple[Learner, Callable[[], StepResult]]:
    """A learner at its beginning, and a function that does its next training step."""
    algorithm = build_algorithm(known.problem, recipe)
    learner = build_learner(known, recipe, algorithm, seed)
    given: dict[str, Any] = {"n_replayed": 0, **recipe.learning}
    settings = LearningSettings(
        batch=recipe.batch,
        epsilon=lambda step: recipe.epsilon,
        ema_decay=recipe.ema_decay,
        algorithm=algorithm,
        **given,
    )
    return learner, lambda: train_step(known.problem, learner, settings)


def build_algorithm(problem: Problem, recipe: Recipe) -> Algorithm:
    """The learning rule; the prior of relative trajectory balance is the uniform policy."""
    ingredients = Ingredients(
        problem.env,
        log_n=exact_counts(problem.env) if recipe.backward.endswith("_exact") else None,
        prior=UniformPolicy(problem.env),
        other_preferences=getattr(problem.conditions, "others", None),
        **recipe.ingredients,
    )
    backward = BACKWARD_RULES[recipe.backward](ingredients)
    return ALGORITHMS[recipe.objective](ingredients, backward, **recipe.options)


def build_policy(known: KnownProblem, recipe: Recipe) -> PolicyModule:
    """An untrained policy with the outputs that the recipe asks for."""
    make = partial(known.make_policy, known.problem.conditions.encoding_width)
    learns, counts = recipe.backward in LEARNED_BACKWARD, recipe.backward in COUNTED_BACKWARD
    if recipe.objective == "envelope_q":
        return EnvelopePolicy(known.problem.env, [make(False, False) for _ in range(known.n_terms)])
    if recipe.has_two_trunks:
        return SeparateTrunks(make(False, False), make(True, counts))
    return make(learns, counts)


def build_learner(known: KnownProblem, recipe: Recipe, algorithm: Algorithm, seed: int) -> Learner:
    """The learner at its beginning."""
    torch.manual_seed(seed)
    model = Model(build_policy(known, recipe), LogZ(known.problem.conditions.encoding_width))
    copies = {"lagged": recipe.learning.get("lag"), "old": algorithm.old_decay}
    return Learner(
        model,
        build_optimizer(model, OptimizerSettings(lr=recipe.lr, log_z_lr=recipe.log_z_lr)),
        build_schedule("cosine", recipe.steps, 0, recipe.final_lr_fraction),
        ReplayBuffer(CAPACITY, known.problem.env.max_steps, Priority(), known.n_terms),
        torch.Generator().manual_seed(seed),
        {name: decay for name, decay in copies.items() if decay is not None},
    )


def distribution(known: KnownProblem, policy: Policy, condition: Condition | None = None) -> Tensor:
    """The probability of each object, float64 [X].

    Args:
        known: the problem.
        policy: must not care how equivalent states are numbered.
        condition: what is asked for, one row; default beta 1.
    """
    asked = known.problem.conditions.fixed(1, 1.0) if condition is None else condition

    def log_probs(states: Any) -> Tensor:
        return policy(states, asked.repeat(len(states))).forward.log_probs

    p = exact_log_probability(known.graph, log_probs)[known.graph.is_terminal].exp()
    return group_by_text(known.texts, p)[1]


def target_weight(known: KnownProblem, recipe: Recipe) -> Tensor:
    """What the recipe is to end in proportion to, float64 [X]; its sum is Z.

    R, but prior R for `rtb`, and for log P_B = 0 R times the number of ways to the object, where equivalent
    numberings count once.
    """
    weight = known.reward
    if recipe.objective == "rtb":
        weight = weight * distribution(known, UniformPolicy(known.problem.env))
    if recipe.backward == "none":
        final, charges = known.graph.is_terminal, torch.zeros(known.graph.n_edges)
        ways = backward_weights(known.graph, charges)[final]
        symmetry = known.problem.env.log_symmetry(known.graph.states[final]).exp()
        weight = weight * group_by_text(known.texts, ways * symmetry)[1]
    return weight


def exact_error(known: KnownProblem, policy: Policy, recipe: Recipe) -> float:
    """Total variation between what the policy draws and what the recipe is to end at, in [0, 1]."""
    weight = target_weight(known, recipe)
    return total_variation(distribution(known, policy), weight / weight.sum())
