"""How well a policy does what it is asked for, over several conditions with the same number of draws each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from fluvial.core.policy import Policy
from fluvial.core.types import Condition
from fluvial.metrics.molecules import diversity, molecules, top_k_mean
from fluvial.metrics.pareto import (
    focus_accuracy,
    hypercube_faces,
    hypervolume,
    igd,
    igd_plus,
    pareto_front,
    pc_entropy,
    r2,
    simplex_grid,
)
from fluvial.queue.records import ScoredObject
from fluvial.sample.rollout import rollout
from fluvial.train.gather import Ledger, Made, rewarded
from fluvial.train.learner import Problem

TOP = 10
"""Best objects under each condition that are looked at (Jain et al. 2023, arXiv:2210.12765)."""
N_DIRECTIONS = 10
"""Parts of the simplex of weights, or points on an edge of the cube, that results are compared with."""
MOST_POINTS = 20_000
"""Points of the whole grid on the cube, which is coarser for many objectives; arbitrary."""


def under_each(
    problem: Problem, policy: Policy, conditions: Condition, n_repeats: int, generator: torch.Generator
) -> list[Made]:
    """Exactly `n_repeats` trajectories under each row of `conditions`, in order."""
    ledger = Ledger(problem.score)
    return [
        rewarded(
            problem,
            rollout(problem.env, policy, conditions[row : row + 1].repeat(n_repeats), generator),
            ledger,
        )
        for row in range(len(conditions))
    ]


def condition_findings(made: Sequence[Made], is_molecular: bool) -> dict[str, Any]:
    """Numbers under each condition, and of all trade-offs together where there are terms to weigh.

    Args:
        made: one part for each condition, at least one.
        is_molecular: whether texts are SMILES.
    """
    found: dict[str, Any] = {"under_each": [_under_one(part, is_molecular) for part in made]}
    n_terms = made[0].trajectories.condition.weights.shape[1]
    if n_terms < 2:
        return found
    values = torch.cat([part.trajectories.values[:, :n_terms] for part in made])
    is_known = values.isfinite().all(dim=1)
    points = values[is_known].cpu().numpy()
    if not len(points):
        return found
    found["trade_off"] = pareto_findings(points)
    focus = torch.cat([part.trajectories.condition.focus for part in made])
    if focus.shape[1]:
        found["trade_off"]["focus_accuracy"] = focus_accuracy(points, focus[is_known].cpu().numpy())
    return found


def pareto_findings(points: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float]:
    """Indicators of the points float64 [N, K] of objectives in [0, 1], to be large, N >= 1."""
    n_objectives = points.shape[1]
    edge = max(2, min(N_DIRECTIONS, int(MOST_POINTS ** (1 / n_objectives))))
    faces, zero = hypercube_faces(n_objectives, edge), np.zeros(n_objectives)
    front = points[pareto_front(points)]
    return {
        "front": float(len(np.unique(front, axis=0))),
        "hypervolume": hypervolume(front, zero),
        "igd": igd(front, faces),
        "igd_plus": igd_plus(front, faces),
        "r2": r2(front, simplex_grid(n_objectives, N_DIRECTIONS), zero + 1.0),
        "pc_entropy": pc_entropy(front, faces),
    }


def _under_one(made: Made, is_molecular: bool) -> dict[str, Any]:
    condition, log_reward = made.trajectories.condition, made.trajectories.log_reward
    known = log_reward[~log_reward.isnan()]
    found: dict[str, Any] = {
        "beta": float(condition.beta[0]),
        "weights": condition.weights[0].tolist(),
        "focus": condition.focus[0].tolist(),
        "drawn": len(made.objects),
        "mean_log_target": float(known.double().mean()) if len(known) else math.nan,
        "top_10": top_k_mean(_rewards(made.objects, log_reward, condition.beta), TOP),
    }
    if is_molecular:
        worth = _rewards(made.objects, log_reward, condition.beta)
        mols = molecules([item.text for item in _different(made.objects)], worth)
        found["top_10_diversity"] = diversity(mols.best(TOP).narrow)
    return found


def _different(objects: Sequence[ScoredObject]) -> list[ScoredObject]:
    return list({item.text: item for item in objects}.values())


def _rewards(objects: Sequence[ScoredObject], log_reward: torch.Tensor, beta: torch.Tensor) -> list[float]:
    """What each different object is worth under its condition, without its sharpness."""
    worth = (log_reward.double() / beta.double()).exp().tolist()
    return list({item.text: value for item, value in zip(objects, worth, strict=True)}.values())
