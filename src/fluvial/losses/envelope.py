"""Q-learning of vectors: one value per reward term, for every preference at once.

(Yang et al. 2019, arXiv:1908.08342.)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from fluvial.core.categorical import NEGATIVE_INFINITY
from fluvial.core.errors import ConfigError


def envelope_value(q: Tensor, mask: Tensor, weights: Tensor) -> Tensor:
    """The Q that weighs most among all legal actions and sampled preferences, float [M, K].

    A vector that another preference found may serve this one better than its own. nan where no action is
    legal. Ties go to the first preference, then to the lowest action. (Yang et al. 2019, arXiv:1908.08342.)

    Args:
        q: float [M, J, A, K], Q(s, a, preference j) of each of K terms; not read where the action is illegal.
        mask: bool [M, A], True where the action is legal.
        weights: float [M, K], the preference to serve; the one it stands for should be among the J.
    """
    weighed = (q * weights[:, None, None]).sum(dim=-1).masked_fill(~mask[:, None], NEGATIVE_INFINITY)
    best = weighed.flatten(1).argmax(dim=1)
    value = q.flatten(1, 2)[torch.arange(len(q), device=q.device), best]
    return value.masked_fill(~mask.any(dim=1, keepdim=True), math.nan)


def envelope_errors(q: Tensor, target: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Squared distance |target - q|^2 and distance |weights · (target - q)| as weighed, both float [M].

    Only q gets gradient. (Yang et al. 2019, arXiv:1908.08342.)

    Args:
        q: float [M, K], of the actions taken.
        target: float [M, K], reward vector plus `envelope_value` of the next state.
        weights: float [M, K], the preference.
    """
    difference = target.detach() - q
    return difference.square().sum(dim=-1), (weights * difference).sum(dim=-1).abs()


def homotopy(updates: int, decay: float) -> float:
    """1 - decay / (decay + updates): how much the second of `envelope_errors` counts, from 0 towards 1.

    The first counts the rest: it is smooth, and leads to where the second, which is what matters, can be
    minimised. (Yang et al. 2019, arXiv:1908.08342.)

    Args:
        updates: number of updates done, at least 0.
        decay: number of updates after which both count 1/2, above 0.

    Raises:
        ConfigError: decay is not above 0.
    """
    if not decay > 0.0:
        raise ConfigError(f"decay of the envelope homotopy is {decay}; it must be above 0")
    return 1.0 - decay / (decay + updates)
