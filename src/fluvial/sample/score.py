"""Log probabilities of trajectories under the current policy."""

from __future__ import annotations

import torch
from torch import Tensor

from fluvial.core.batch import Batch
from fluvial.core.policy import Policy
from fluvial.core.types import Scores, Trajectories


def score(policy: Policy, trajectories: Trajectories[Batch]) -> Scores:
    """Evaluate the policy once on each real, unfinished state of the trajectories.

    The backward probability of transition t is the policy's at `states[t + 1]`; undoing the stop has
    probability 1.
    """
    n_times, n_rows = trajectories.mask.shape
    live = trajectories.mask.flatten().nonzero().squeeze(1)
    states = trajectories.states[:-1].flatten()[live]
    output = policy(states, trajectories.condition[live % n_rows])

    def placed(values: Tensor, index: Tensor, length: int) -> Tensor:
        return values.new_zeros(length * n_rows).index_copy(0, index, values).reshape(length, n_rows)

    log_pf = output.forward.log_prob(trajectories.actions.flatten()[live])
    later = (live >= n_rows).nonzero().squeeze(1)
    arrived = live[later] - n_rows
    chosen = trajectories.back_actions.flatten()[arrived]
    log_pb = output.backward.log_probs[later, chosen]
    return Scores(
        log_pf=placed(log_pf, live, n_times),
        log_pb=placed(log_pb, arrived, n_times),
        log_flow=placed(output.log_flow, live, n_times + 1),
        mask=trajectories.mask,
    )


def log_importance(scores: Scores) -> Tensor:
    """Sum of log P_F - log P_B along each trajectory, float [B]."""
    return torch.sum(scores.log_pf - scores.log_pb, dim=0)
