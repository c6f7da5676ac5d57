"""Balance of every part of a trajectory, and how much each part counts.

Part (i, j) is the transitions from states[i] to states[j], i < j. (Madan et al. 2023, arXiv:2209.12782.)
"""

from __future__ import annotations

import torch
from torch import Tensor

from fluvial.core.errors import ConfigError
from fluvial.losses.residuals import with_terminal_flow


def sub_trajectory_balance(
    log_pf: Tensor, log_pb: Tensor, log_flow: Tensor, log_reward: Tensor, mask: Tensor
) -> Tensor:
    """log F(s_i) + sum log P_F - log F(s_j) - sum log P_B over i <= t < j, float [T + 1, T + 1, B].

    0 where i >= j and where j is padding. Next to the diagonal it is detailed balance; from the initial to
    the terminal state it is trajectory balance with log F(s_0) for log Z.

    Args:
        log_pf: float [T, B], 0 at padding.
        log_pb: float [T, B], at the state after the transition, 0 at padding.
        log_flow: float [T + 1, B]; what it says of terminal states and padding is not read.
        log_reward: float [B], of the target, symmetry correction included.
        mask: bool [T, B], True for real transitions.
    """
    potential = _potential(log_pf, log_pb, log_flow, log_reward, mask)
    return torch.where(part_mask(mask), potential[:, None] - potential, 0.0)


def potential_variance(
    log_pf: Tensor, log_pb: Tensor, log_flow: Tensor, log_reward: Tensor, mask: Tensor
) -> Tensor:
    """h_i - (mean of h over the trajectory), h_i = log F(s_i) + sum of log P_B - log P_F over t < i.

    Float [T + 1, B], 0 at padding. The residual of a part is h_i - h_j, and over n + 1 states
    sum_{i<j} (h_i - h_j)^2 = (n + 1) sum_i (h_i - mean h)^2, so with `potential_weights` the squares of these
    are the loss of all parts weighed alike, for T + 1 numbers in place of (T + 1)^2. This holds for squares
    only. (Madan et al. 2023, arXiv:2209.12782, SubTB(lambda) at lambda = 1.)

    Args:
        log_pf: float [T, B]; not read at padding.
        log_pb: float [T, B], at the state after the transition; not read at padding.
        log_flow: float [T + 1, B]; what it says of terminal states and padding is not read.
        log_reward: float [B], of the target, symmetry correction included.
        mask: bool [T, B], True for real transitions.
    """
    potential = _potential(log_pf, log_pb, log_flow, log_reward, mask)
    is_state = _is_reached(mask)
    mean = torch.where(is_state, potential, 0.0).sum(dim=0) / is_state.sum(dim=0)
    return torch.where(is_state, potential - mean, 0.0)


def potential_weights(mask: Tensor) -> Tensor:
    """2 / n at each of the n + 1 states of a trajectory of n transitions, float [T + 1, B]; 0 at padding.

    They sum to 2 (n + 1) / n and not to 1: sums of squares weighed so equal the mean over the n (n + 1) / 2
    parts.

    Args:
        mask: bool [T, B], True for real transitions.
    """
    return 2.0 * _is_reached(mask) / mask.sum(dim=0).clamp_min(1)


def geometric_weights(mask: Tensor, decay: float) -> Tensor:
    """Weights of the parts, which sum to 1 per trajectory, float [T + 1, T + 1, B]; 0 where there is no part.

    Proportional to decay^(j - i): a small decay counts single transitions only, as detailed balance does;
    1 counts all parts alike. (Madan et al. 2023, arXiv:2209.12782, SubTB(lambda).)

    Args:
        mask: bool [T, B], True for real transitions.
        decay: above 0, at most 1.

    Raises:
        ConfigError: a decay out of range.
    """
    if not 0.0 < decay <= 1.0:
        raise ConfigError(f"decay of sub-trajectory weights is {decay}; it must be above 0 and at most 1")
    times = torch.arange(len(mask) + 1, device=mask.device)
    # One power less than in the definition: the shortest parts then weigh 1, and no sum underflows to 0.
    by_length = torch.pow(decay, (times - times[:, None] - 1).clamp_min(0).to(torch.get_default_dtype()))
    weight = part_mask(mask) * by_length[:, :, None]
    return weight / weight.sum(dim=(0, 1)).clamp_min(1.0)


def part_mask(mask: Tensor) -> Tensor:
    """Which (i, j) are parts of the trajectory: i < j and transition j - 1 is real, bool [T + 1, T + 1, B].

    Args:
        mask: bool [T, B], True for real transitions.
    """
    times = torch.arange(len(mask) + 1, device=mask.device)
    return (times[:, None] < times)[:, :, None] & _is_reached(mask)


def _is_reached(mask: Tensor) -> Tensor:
    return torch.cat([torch.ones_like(mask[:1]), mask])


def _potential(log_pf: Tensor, log_pb: Tensor, log_flow: Tensor, log_reward: Tensor, mask: Tensor) -> Tensor:
    flow = with_terminal_flow(log_flow, log_reward, mask)
    ratio = (log_pf - log_pb).cumsum(dim=0)
    # A part's sum is a difference of sums from the start, so its residual is one of potentials.
    return flow - torch.cat([torch.zeros_like(ratio[:1]), ratio])
