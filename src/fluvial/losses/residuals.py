"""Objectives as residuals: zero exactly where the flows match the reward."""

from __future__ import annotations

import torch
from torch import Tensor


def trajectory_balance(
    log_pf: Tensor,
    log_pb: Tensor,
    log_reward: Tensor,
    log_z: Tensor,
    smoothing: float | None = None,
) -> Tensor:
    """log Z + sum log P_F - log R - sum log P_B, float [B].

    (Malkin et al. 2022, arXiv:2201.13259, eq. 14.)

    Args:
        log_pf: float [T, B], 0 at padding.
        log_pb: float [T, B], 0 at padding.
        log_reward: float [B], of the target, symmetry correction included.
        log_z: float [B] or scalar.
        smoothing: a log flow that is added to both sides, so that trajectories of less flow than this count
            less; None adds none. (Bengio et al. 2021, arXiv:2106.04399, for flow matching.)
    """
    if smoothing is None:
        return log_z + (log_pf - log_pb).sum(dim=0) - log_reward
    forward, backward = log_z + log_pf.sum(dim=0), log_reward + log_pb.sum(dim=0)
    return smoothed(forward, smoothing) - smoothed(backward, smoothing)


def smoothed(log_flow: Tensor, smoothing: float | None) -> Tensor:
    """log(F + e^smoothing), of the shape of `log_flow`; `log_flow` itself where smoothing is None.

    Args:
        log_flow: float, any shape.
        smoothing: a log flow.
    """
    if smoothing is None:
        return log_flow
    return torch.logaddexp(log_flow, log_flow.new_full((), smoothing))


def log_partition_variance(log_pf: Tensor, log_pb: Tensor, log_reward: Tensor, group: Tensor) -> Tensor:
    """s - (mean of s over the group), s = log R + sum log P_B - log P_F, float [B]; 0 in a group of one.

    Each s estimates the log Z of its condition, so their spread within a group of equal condition replaces
    log Z: the mean square is the variance within groups. (Zhang et al. 2023, arXiv:2302.05446; for
    variational inference Richter et al. 2020, arXiv:2010.10436.)

    Args:
        log_pf: float [T, B], 0 at padding.
        log_pb: float [T, B], 0 at padding.
        log_reward: float [B], of the target, symmetry correction included.
        group: int64 [B], equal for trajectories of equal condition; any numbers.
    """
    estimate = log_reward - (log_pf - log_pb).sum(dim=0)
    # A B x B sum instead of adding into groups, whose order, and last bits, would differ by run on a GPU.
    same = group[:, None] == group
    total = torch.where(same, estimate, 0.0).sum(dim=1)
    return estimate - total / same.sum(dim=1)


def detailed_balance(
    log_pf: Tensor, log_pb: Tensor, log_flow: Tensor, log_reward: Tensor, mask: Tensor
) -> Tensor:
    """log F(s_t) + log P_F - log F(s_{t+1}) - log P_B of each transition, float [T, B]; 0 at padding.

    (Bengio et al. 2023, arXiv:2111.09266, on trajectories.)

    Args:
        log_pf: float [T, B].
        log_pb: float [T, B], at the state after the transition.
        log_flow: float [T + 1, B]; what it says of terminal states and padding is not read.
        log_reward: float [B], of the target, symmetry correction included.
        mask: bool [T, B], True for real transitions.
    """
    flow = with_terminal_flow(log_flow, log_reward, mask)
    return torch.where(mask, flow[:-1] + log_pf - flow[1:] - log_pb, 0.0)


def flow_of_stopping(log_flow: Tensor, log_partial: Tensor, log_stop: Tensor) -> Tensor:
    """log R(s) - log P_F(stop | s) where the state is an object, else `log_flow`, float [T + 1, B].

    The flow F(s) P_F(stop | s) of the stop is the reward of the object, so the flow of the state follows.
    (Deleu et al. 2022, arXiv:2202.13903.)

    Args:
        log_flow: float [T + 1, B].
        log_partial: float [T + 1, B], log R of the state taken as an object, symmetry correction included;
            nan where the stop is not legal.
        log_stop: float [T + 1, B]; what it says where the stop is not legal is not read.
    """
    return torch.where(log_partial.isnan(), log_flow, log_partial - log_stop)


def looking_forward(log_pb: Tensor, energy: Tensor, mask: Tensor) -> Tensor:
    """log P_B - (energy[t + 1] - energy[t]) at real transitions, float [T, B]; 0 at padding.

    An objective that is given this for log P_B is its forward-looking form: the flow that it learns is
    F(s) e^energy(s), so that an energy that foretells the reward leaves little to learn, and log Z becomes
    log Z + energy(s_0). The flow of a terminal state is changed like any other: with the same log reward the
    target becomes R e^-energy(x). So R is sampled where the energy of terminal states is 0, and also where
    log R + energy(x) is given for the log reward, which is 0 if the energy of a terminal state is -log R.
    (Pan et al. 2023, arXiv:2302.01687.)

    Args:
        log_pb: float [T, B], at the state after the transition.
        energy: float [T + 1, B], minus the log of a reward of each state; not read at padding.
        mask: bool [T, B], True for real transitions.
    """
    return torch.where(mask, log_pb - (energy[1:] - energy[:-1]), 0.0)


def with_terminal_flow(log_flow: Tensor, log_reward: Tensor, mask: Tensor) -> Tensor:
    """log F of each state, which is log R at terminal states and at the padding after them, float [T + 1, B].

    Args:
        log_flow: float [T + 1, B], read at states that a real transition leaves.
        log_reward: float [B].
        mask: bool [T, B].
    """
    is_left = torch.cat([mask, torch.zeros_like(mask[:1])])
    return torch.where(is_left, log_flow, log_reward)


def last_transitions(mask: Tensor) -> Tensor:
    """Whether a transition is the last real one of its trajectory, the stop, bool [T, B].

    Args:
        mask: bool [T, B], True for real transitions.
    """
    return mask & ~torch.cat([mask[1:], torch.zeros_like(mask[:1])])
