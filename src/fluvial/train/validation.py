"""What is measured of a policy while it learns, without changing what it learns."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from fluvial.core.enumeration import StateGraph, enumerate_within
from fluvial.core.types import Condition
from fluvial.metrics.molecules import top_k_mean
from fluvial.policy.model import Model
from fluvial.train.evaluation import (
    Subject,
    bound_findings,
    exact_findings,
    likelihood_findings,
    various_states,
    weights_of,
)
from fluvial.train.findings import mean_of_known
from fluvial.train.gather import Ledger, Made
from fluvial.train.learner import Problem
from fluvial.train.plan import METRIC_PREFIX, EvaluationPlan
from fluvial.train.scoring import patient
from fluvial.train.trade_offs import under_each

EXACT = ("total_variation", "jensen_shannon", "kl_target_policy", "log_z")
LIKELIHOOD = ("fcs", "pearson", "spearman", "mean_standard_error")
BOUNDS = ("elbo", "log_z", "eubo")


def settled(problem: Problem) -> Problem:
    """The problem with the reward itself, which is waited for where it is slow.

    A diversity filter changes the target and has a memory.
    """
    return replace(problem, diversity=None, score=patient(problem.score, problem.answers))


@dataclass(frozen=True)
class Validation:
    """Measures the averaged weights under the same conditions each time.

    Random numbers are the same each time, so checkpoints differ by their weights more than by luck, a resumed
    run measures the same, and whether it is measured changes nothing of what is learned.
    """

    problem: Problem
    every: int
    """Steps between two evaluations, at least 1."""
    conditions: Condition
    """Rows to draw under."""
    n_repeats: int
    """Objects under each condition, exactly."""
    n_objects: int
    n_paths: int
    exact_states: int
    seed: int

    def is_due(self, step: int, last: int) -> bool:
        """Whether to measure after `step`, from 1 on, of a run that ends after `last`."""
        return step % self.every == 0 or step == last

    @cached_property
    def graph(self) -> StateGraph[Any] | None:
        """All states, where they are few enough."""
        return enumerate_within(self.problem.env, self.exact_states) if self.exact_states else None

    @torch.no_grad()
    def __call__(self, model: Model) -> dict[str, float]:
        """Metrics by name, means over the conditions; those that cannot be told are left out.

        Args:
            model: the averaged weights.
        """
        generator = torch.Generator(self.problem.device).manual_seed(self.seed)
        with undisturbed():
            was_training = model.training
            model.eval()
            parts = [self._under(model, row, generator) for row in range(len(self.conditions))]
            model.train(was_training)
        names = list(dict.fromkeys(name for part in parts for name in part))
        means = {name: mean_of_known([part[name] for part in parts if name in part]) for name in names}
        return {METRIC_PREFIX + name: value for name, value in means.items() if math.isfinite(value)}

    def _under(self, model: Model, row: int, generator: torch.Generator) -> dict[str, float]:
        condition = self.conditions[row : row + 1]
        subject = Subject(self.problem, model, condition, Ledger(self.problem.score))
        made = under_each(self.problem, model.policy, condition, self.n_repeats, generator)
        found = _drawn(made[0]) | _some(bound_findings(weights_of(subject, made)), BOUNDS)
        if self.n_objects:
            plan = EvaluationPlan(n_paths=self.n_paths)
            states, _ = various_states(subject, self.n_objects, generator)
            found |= _some(likelihood_findings(subject, states, plan, generator), LIKELIHOOD)
        if self.graph is not None:
            found |= _some(exact_findings(subject, self.graph, 0), EXACT)
        return found


@contextmanager
def undisturbed() -> Iterator[None]:
    """Leave the generators that libraries and users' rewards share as they are."""
    numpy_state, python_state = np.random.get_state(), random.getstate()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)


def _drawn(made: Made) -> dict[str, float]:
    texts = [item.text for item in made.objects]
    rewards = dict(zip(texts, made.reward.tolist(), strict=True))
    known = made.reward[~made.reward.isnan()]
    return {
        "reward_mean": float(known.mean()) if len(known) else math.nan,
        "top_10": top_k_mean(list(rewards.values()), 10),
        "unique_share": len(rewards) / len(texts),
    }


def _some(found: dict[str, float], names: tuple[str, ...]) -> dict[str, float]:
    return {name: found[name] for name in names if name in found}
