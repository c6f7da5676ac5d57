"""Objectives as residuals: zero exactly where the flows match the reward."""

from __future__ import annotations

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
