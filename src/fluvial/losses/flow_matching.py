"""What flows into a state against what flows out of it. (Bengio et al. 2021, arXiv:2106.04399.)

Networks give the log flow of each action, log F(s, a). A state's outflow is the sum over its actions; its
inflow comes from its parents' actions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fluvial.core.categorical import NEGATIVE_INFINITY
from fluvial.losses.residuals import last_transitions, smoothed


def log_inflow(log_edge_flow: Tensor, back_mask: Tensor) -> Tensor:
    """Log of the sum of the flows on the edges into a state, float [M]; -inf where nothing leads there.

    Args:
        log_edge_flow: float [M, A'], log F(parent, action) of the edge that each backward action undoes;
            not read where there is no such edge.
        back_mask: bool [M, A'], True where the backward action is legal.
    """
    return log_edge_flow.masked_fill(~back_mask, NEGATIVE_INFINITY).logsumexp(dim=-1)


def flow_matching(
    log_inflow: Tensor,
    log_outflow: Tensor,
    log_reward: Tensor,
    mask: Tensor,
    smoothing: float | None = None,
) -> Tensor:
    """log inflow - log outflow of the state that each transition arrives at, float [T, B]; 0 at padding.

    The last transition, the stop, is compared with the reward: log F(s, stop) - log R.
    (Bengio et al. 2021, arXiv:2106.04399.)

    Args:
        log_inflow: float [T, B], of `states[t + 1]`; of the last transition it is log F(s_t, stop).
        log_outflow: float [T, B], of `states[t + 1]`; not read at the last transition.
        log_reward: float [B], of the target, symmetry correction included.
        mask: bool [T, B], True for real transitions.
        smoothing: a log flow that is added to both sides, so that small flows count less; None adds none.
    """
    # Padding is set before it is smoothed: the gradient of logaddexp at nan is nan even if unused.
    inflow = torch.where(mask, log_inflow, 0.0)
    outflow = torch.where(mask & ~last_transitions(mask), log_outflow, log_reward)
    return torch.where(mask, smoothed(inflow, smoothing) - smoothed(outflow, smoothing), 0.0)


def flow_matching_weights(mask: Tensor, leaf_weight: float | None = None) -> Tensor:
    """Weights of the residuals of `flow_matching`, float [T, B]; 0 at padding.

    Args:
        mask: bool [T, B], True for real transitions.
        leaf_weight: None weighs all n residuals of a trajectory 1 / n, which sums to 1. A number weighs the
            last one so and the others 1 / (n - 1), which sums to 1 + leaf_weight, or to leaf_weight where
            n = 1; so leaves count as much in long trajectories as in short ones.
    """
    n_steps = mask.sum(dim=0)
    if leaf_weight is None:
        return mask / n_steps.clamp_min(1)
    is_last = last_transitions(mask)
    return (mask & ~is_last) / (n_steps - 1).clamp_min(1) + leaf_weight * is_last
