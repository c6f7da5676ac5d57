"""Errors of reinforcement learning on trajectories whose reward comes at the end.

The soft ones make a policy that samples in proportion to the reward: with an entropy weight of 1, log P_B as
the reward of a transition and log R as that of stopping, the optimal soft Q(s, a) is log F(s) +
log P_F(a | s), and the optimal soft value, its log-sum-exp over actions, is log F(s). On a tree log P_B is 0.
(Tiapkin et al. 2024, arXiv:2310.12934.)
"""

from __future__ import annotations

import torch
from torch import Tensor

from fluvial.losses.residuals import with_terminal_flow


def actor_critic(
    log_pf: Tensor,
    value: Tensor,
    reward: Tensor,
    entropy: Tensor,
    mask: Tensor,
    entropy_weight: float,
) -> Tensor:
    """A^2 - log P_F · A - entropy_weight · entropy with A = R - V(s_t), float [T, B]; 0 at padding.

    The critic learns from A^2 only and the actor takes A as given. This is the advantage of an undiscounted
    reward at the end. (A2C: Mnih et al. 2016, arXiv:1602.01783.)

    Args:
        log_pf: float [T, B], under the policy that drew the trajectories; not read at padding.
        value: float [T, B], V(states[t]); not read at padding.
        reward: float [B], itself and not its log.
        entropy: float [T, B], of P_F at states[t], in nats; not read at padding.
        mask: bool [T, B], True for real transitions.
        entropy_weight: reward that one nat is worth.
    """
    # 0 before it is multiplied: nan times the zero gradient of padding would be nan.
    advantage = torch.where(mask, reward - value, 0.0)
    loss = advantage.square() - log_pf * advantage.detach() - entropy_weight * entropy
    return torch.where(mask, loss, 0.0)


def soft_q_error(q: Tensor, log_pb: Tensor, soft_value: Tensor, log_reward: Tensor, mask: Tensor) -> Tensor:
    """Q(s_t, a_t) - (log P_B + V(s_{t+1})), float [T, B]; 0 at padding.

    V of the terminal state is log R. Only Q gets gradient. (Tiapkin et al. 2024, arXiv:2310.12934.)

    Args:
        q: float [T, B], of the actions taken.
        log_pb: float [T, B], at the state after the transition; 0 on a tree.
        soft_value: float [T + 1, B], log-sum-exp of Q over the actions of states[t], usually of a target
            network; what it says of terminal states and padding is not read.
        log_reward: float [B], of the target, symmetry correction included.
        mask: bool [T, B], True for real transitions.
    """
    target = log_pb + with_terminal_flow(soft_value, log_reward, mask)[1:]
    return torch.where(mask, q - target.detach(), 0.0)


def munchausen_error(  # noqa: PLR0913 - those of soft Q-learning, and three more
    q: Tensor,
    log_pb: Tensor,
    soft_value: Tensor,
    log_pf_old: Tensor,
    log_reward: Tensor,
    mask: Tensor,
    munchausen: float,
    floor: float,
) -> Tensor:
    """Q - ((1 - m) log P_B + m max(log P_F, floor) + V(s_{t+1})), float [T, B]; 0 at padding.

    m is `munchausen`, and V of the terminal state is (1 - m) log R. So scaled, softmax of Q is the policy,
    and the fixed point has the same policy for any m: Q(s, a) = (1 - m) log F(s) + log P_F(a | s), whose
    log-sum-exp is (1 - m) log F(s). Only Q gets gradient. (Vieillard et al. 2020, arXiv:2007.14430; Tiapkin
    et al. 2024, arXiv:2310.12934, whose Q and rewards are divided here by their entropy weight 1 / (1 - m).)

    Args:
        q: float [T, B], of the actions taken.
        log_pb: float [T, B], at the state after the transition; 0 on a tree.
        soft_value: float [T + 1, B], log-sum-exp of Q over the actions of states[t], usually of a target
            network; what it says of terminal states and padding is not read.
        log_pf_old: float [T, B], of the actions taken, by the same network as `soft_value`.
        log_reward: float [B], of the target, symmetry correction included.
        mask: bool [T, B], True for real transitions.
        munchausen: m, the part of the reward that is log P_F, at least 0 and below 1; 0 is `soft_q_error`.
        floor: log probability that a rarer action is taken to have. Where it binds at the fixed point, the
            policy there is another one, so it should lie below any log P_F that matters.
    """
    rest = 1.0 - munchausen
    reward = rest * log_pb + munchausen * log_pf_old.clamp_min(floor)
    return soft_q_error(q, reward, soft_value, rest * log_reward, mask)


def baseline(reward: Tensor, group: Tensor) -> Tensor:
    """Mean reward of the other trajectories of the group, float [B]; one alone gets its own reward.

    Being of others, it does not bias the gradient of `score_function`; who is alone has an advantage of 0.
    (Leave-one-out: Kool et al. 2019, "Buy 4 REINFORCE samples, get a baseline for free!".)

    Args:
        reward: float [B].
        group: int64 [B], equal for trajectories of equal condition; any numbers.
    """
    # A B x B sum instead of adding into groups, whose order, and last bits, would differ by run on a GPU.
    is_other = (group[:, None] == group).fill_diagonal_(False)
    n_others = is_other.sum(dim=1)
    total = torch.where(is_other, reward, 0.0).sum(dim=1)
    return torch.where(n_others > 0, total / n_others.clamp_min(1), reward)
