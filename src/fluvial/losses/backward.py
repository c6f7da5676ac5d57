"""Rules by which backward policies, and predicted numbers of paths, are learned.

n(s) is the number of backward action sequences from s to the initial state. Where P_B follows n, as
log P_B = log n(s_t) - log n(s_{t+1}), all paths to an object are equally likely, and trajectories have the
largest entropy that the target allows.
The losses here learn log n and P_B together. They concern the n - 1 construction transitions only, that is
all but the stop, which changes nothing that could be undone in several ways. Of the initial state log n is 0
whatever the predictor says. (Mohammadpour et al. 2024, arXiv:2312.14331.)
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fluvial.losses.residuals import last_transitions
from fluvial.losses.subtrajectories import geometric_weights, part_mask

NLoss = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""`n_loss(log_pb, log_n, mask)` gives residual and weight, of one shape [..., B].

`log_pb` float [T, B] at the state after the transition; `log_n` float [T + 1, B] predicted log n(states[t]);
`mask` bool [T, B]. Read at construction transitions and the states next to them, but never `log_n[0]`. The
weights of a trajectory sum to 1, or to 0 where it stops at once. Below N is `log_n` with N_0 = 0, B is
`log_pb`, and m = n - 1 is the number of construction transitions.
"""


def transition(log_pb: Tensor, log_n: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """N_{t+1} + B_t - N_t with weight 1 / m, float [T, B]."""
    potential, is_construction = _potential(log_pb, log_n, mask)
    residual = torch.where(is_construction, potential[1:] - potential[:-1], 0.0)
    return residual, _even_weights(is_construction, residual)


def subtb(log_pb: Tensor, log_n: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """N_i - N_j - sum of B over i <= t < j, all parts i < j weighed alike, float [T + 1, T + 1, B]."""
    potential, is_construction = _potential(log_pb, log_n, mask)
    residual = torch.where(part_mask(is_construction), potential[:, None] - potential, 0.0)
    return residual, geometric_weights(is_construction, 1.0).to(residual)


def start(log_pb: Tensor, log_n: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """N_j + sum of B over t < j, for j = 1 ... m at place j - 1, with weight 1 / m, float [T, B]."""
    potential, is_construction = _potential(log_pb, log_n, mask)
    residual = torch.where(is_construction, potential[1:], 0.0)
    return residual, _even_weights(is_construction, residual)


def term(log_pb: Tensor, log_n: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """N_i - N_m - sum of B over t >= i, for i = 0 ... m - 1, with weight 1 / m, float [T, B]."""
    potential, is_construction = _potential(log_pb, log_n, mask)
    residual = torch.where(is_construction, potential[:-1] - _last(potential, is_construction), 0.0)
    return residual, _even_weights(is_construction, residual)


def tb(log_pb: Tensor, log_n: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """N_m + sum of all B with weight 1, float [B]."""
    potential, is_construction = _potential(log_pb, log_n, mask)
    return _last(potential, is_construction), is_construction.any(dim=0).to(potential)


N_LOSSES: dict[str, NLoss] = {
    "transition": transition,
    "subtb": subtb,
    "start": start,
    "term": term,
    "tb": tb,
}


def maxent_log_pb(log_n: Tensor, mask: Tensor) -> Tensor:
    """log n(s_t) - log n(s_{t+1}) at construction transitions, float [T, B]; 0 at the stop and padding.

    With exact numbers it is a distribution over the ways back; with predicted ones it may sum to something
    else than 1. (Mohammadpour et al. 2024, arXiv:2312.14331.)

    Args:
        log_n: float [T + 1, B], log n(states[t]); 0 is taken for the initial state, and what it says of
            terminal states and padding is not read.
        mask: bool [T, B], True for real transitions.
    """
    number = _numbers(log_n, mask)
    return torch.where(_construction(mask), number[:-1] - number[1:], 0.0)


def path_log_pb(log_n: Tensor, mask: Tensor) -> Tensor:
    """-log n(x) at the stop, float [T, B]; 0 elsewhere.

    The sum of `maxent_log_pb` over the trajectory, all at its end: as if paths were objects that share the
    reward of theirs. An objective given this for log P_B finds the same P_F and log Z as with
    `maxent_log_pb`, and learns F(s) / n(s) for the flow. (Mohammadpour et al. 2024, arXiv:2312.14331, GSQL.)

    Args:
        log_n: float [T + 1, B], as in `maxent_log_pb`; read at the state before the stop.
        mask: bool [T, B], True for real transitions.
    """
    return torch.where(last_transitions(mask), -_numbers(log_n, mask)[:-1], 0.0)


def negative_log_likelihood(log_prob: Tensor) -> Tensor:
    """-sum of log_prob over the trajectory, float [B].

    Of log P_B on trajectories that the forward policy drew it is trajectory likelihood maximisation (Gritsaev
    et al. 2025, arXiv:2410.15474); on replayed ones the pessimistic backward policy (Jang et al. 2024,
    arXiv:2405.16012). Of log P_F on trajectories drawn backward from data its mean bounds the negative log
    likelihood of the data from above.

    Args:
        log_prob: float [T, B], 0 at padding.
    """
    return -log_prob.sum(dim=0)


def score_function(log_prob: Tensor, advantage: Tensor) -> Tensor:
    """-advantage · sum of log_prob, float [B]: its gradient is that of -E[advantage] under the policy.

    No gradient reaches the advantage. (REINFORCE: Williams 1992.)

    Args:
        log_prob: float [T, B] under the policy that drew the trajectories, 0 at padding.
        advantage: float [B].
    """
    return -advantage.detach() * log_prob.sum(dim=0)


def _construction(mask: Tensor) -> Tensor:
    return mask & ~last_transitions(mask)


def _numbers(log_n: Tensor, mask: Tensor) -> Tensor:
    """Float [T + 1, B]: log n, but 0 at the initial state, the terminal one and padding."""
    is_constructed = torch.cat([torch.zeros_like(mask[:1]), _construction(mask)])
    return torch.where(is_constructed, log_n, 0.0)


def _potential(log_pb: Tensor, log_n: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """N_i + sum of B over t < i, float [T + 1, B], and the construction transitions, bool [T, B].

    It is constant, 0, where log n and P_B are right; every n-loss is a difference of two of its values.
    """
    is_construction = _construction(mask)
    path = torch.where(is_construction, log_pb, 0.0).cumsum(dim=0)
    return _numbers(log_n, mask) + torch.cat([torch.zeros_like(path[:1]), path]), is_construction


def _last(potential: Tensor, is_construction: Tensor) -> Tensor:
    return potential.gather(0, is_construction.sum(dim=0, keepdim=True)).squeeze(0)


def _even_weights(is_construction: Tensor, like: Tensor) -> Tensor:
    return is_construction.to(like) / is_construction.sum(dim=0).clamp_min(1)
