"""The objectives under one signature: residuals, and how much each of them counts.

Weights sum to 1 for each trajectory, so the loss is a mean over trajectories whatever the objective.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fluvial.core.types import Scores
from fluvial.losses.regression import Regression
from fluvial.losses.residuals import detailed_balance, log_partition_variance, trajectory_balance
from fluvial.losses.subtrajectories import (
    geometric_weights,
    potential_variance,
    potential_weights,
    sub_trajectory_balance,
)

Objective = Callable[..., tuple[Tensor, Tensor]]
"""`objective(scores, log_reward, log_z, group)` gives residual and weight, of one shape [..., B].

`log_reward` float [B] is of the target, symmetry correction included; `log_z` float [B]; `group` int64 [B]
is equal for trajectories of equal condition. Each objective reads what it needs of these. Options are further
keyword arguments.
"""

DECAY = 0.9
"""Of sub-trajectory weights by length; arbitrary."""


def tb(
    scores: Scores, log_reward: Tensor, log_z: Tensor, group: Tensor, smoothing: float | None = None
) -> tuple[Tensor, Tensor]:
    """Trajectory balance: residual and weight 1, float [B]; `smoothing` as in `trajectory_balance`."""
    residual = trajectory_balance(scores.log_pf, scores.log_pb, log_reward, log_z, smoothing)
    return residual, torch.ones_like(residual)


def vargrad(scores: Scores, log_reward: Tensor, log_z: Tensor, group: Tensor) -> tuple[Tensor, Tensor]:
    """Log-partition variance within groups: residual and weight 1, float [B]."""
    residual = log_partition_variance(scores.log_pf, scores.log_pb, log_reward, group)
    return residual, torch.ones_like(residual)


def db(scores: Scores, log_reward: Tensor, log_z: Tensor, group: Tensor) -> tuple[Tensor, Tensor]:
    """Detailed balance: residual and weight 1 / (number of transitions of the trajectory), float [T, B]."""
    residual = detailed_balance(scores.log_pf, scores.log_pb, scores.log_flow, log_reward, scores.mask)
    return residual, scores.mask / scores.mask.sum(dim=0).clamp_min(1).to(residual)


def subtb(
    scores: Scores, log_reward: Tensor, log_z: Tensor, group: Tensor, decay: float = DECAY
) -> tuple[Tensor, Tensor]:
    """Sub-trajectory balance: residual and geometric weight, float [T + 1, T + 1, B]."""
    residual = sub_trajectory_balance(scores.log_pf, scores.log_pb, scores.log_flow, log_reward, scores.mask)
    return residual, geometric_weights(scores.mask, decay).to(residual)


def subtb_of_squares(
    scores: Scores, log_reward: Tensor, log_z: Tensor, group: Tensor
) -> tuple[Tensor, Tensor]:
    """Sub-trajectory balance of decay 1 in closed form: residual and weight, float [T + 1, B].

    The same loss as `subtb` for the squares of residuals only; its weights do not sum to 1.
    """
    residual = potential_variance(scores.log_pf, scores.log_pb, scores.log_flow, log_reward, scores.mask)
    return residual, potential_weights(scores.mask).to(residual)


OBJECTIVES: dict[str, Objective] = {"tb": tb, "vargrad": vargrad, "db": db, "subtb": subtb}


def _learned(scores: Scores, log_reward: Tensor, log_z: Tensor) -> Tensor:
    return log_z


def _of_paths(scores: Scores, log_reward: Tensor, log_z: Tensor) -> Tensor:
    return log_reward - torch.sum(scores.log_pf - scores.log_pb, dim=0)


def _of_initial_flow(scores: Scores, log_reward: Tensor, log_z: Tensor) -> Tensor:
    return scores.log_flow[0]


LOG_Z_ESTIMATES: dict[str, Callable[[Scores, Tensor, Tensor], Tensor]] = {
    "tb": _learned,
    "vargrad": _of_paths,
    "db": _of_initial_flow,
    "subtb": _of_initial_flow,
}
"""What each objective takes for log Z: `estimate(scores, log_reward, log_z)` float [B]."""


def trajectory_loss(residual: Tensor, weight: Tensor, regression: Regression) -> Tensor:
    """The loss of each trajectory: sum of weight · regression(residual), float [B].

    Args:
        residual: float [..., B].
        weight: float [..., B]; with a sum of 1 for each trajectory the loss is a mean over its residuals.
        regression: from residuals to losses of the same shape.
    """
    return (weight * regression(residual)).reshape(-1, residual.shape[-1]).sum(dim=0)
