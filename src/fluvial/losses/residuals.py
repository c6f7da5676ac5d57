"""Objectives as residuals: zero exactly where the flows match the reward."""

from __future__ import annotations

import torch
from torch import Tensor


def trajectory_balance(log_pf: Tensor, log_pb: Tensor, log_reward: Tensor, log_z: Tensor) -> Tensor:
    """log Z + sum log P_F - log R - sum log P_B, float [B].

    (Malkin et al. 2022, arXiv:2201.13259, eq. 14.)

    Args:
        log_pf: float [T, B], 0 at padding.
        log_pb: float [T, B], 0 at padding.
        log_reward: float [B], of the target, symmetry correction included.
        log_z: float [B] or scalar.
    """
    return log_z + (log_pf - log_pb).sum(dim=0) - log_reward


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


def with_terminal_flow(log_flow: Tensor, log_reward: Tensor, mask: Tensor) -> Tensor:
    """log F of each state, which is log R at terminal states and at the padding after them, float [T + 1, B].

    Args:
        log_flow: float [T + 1, B], read at states that a real transition leaves.
        log_reward: float [B].
        mask: bool [T, B].
    """
    is_left = torch.cat([mask, torch.zeros_like(mask[:1])])
    return torch.where(is_left, log_flow, log_reward)
