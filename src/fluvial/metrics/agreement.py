"""How well estimated log probabilities of some objects agree with their log rewards."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

SUBSET_SIZE = 32
"""Objects in a subset; arbitrary. Larger ones see more, smaller ones are cheaper."""
N_SUBSETS = 128
"""Subsets; arbitrary."""


@dataclass(frozen=True)
class Consistency:
    """Flow consistency in sub-graphs."""

    value: float
    """Mean over subsets, 0 (right on all of them) to 1; nan where there are too few objects."""
    standard_error: float
    """Of the mean over the choice of subsets among the given objects."""


def pearson(x: Tensor, y: Tensor) -> float:
    """Correlation of two float [N], -1 to 1; nan where one of them does not vary or N < 2."""
    x, y = x.double() - x.double().mean(), y.double() - y.double().mean()
    scale = float(x.norm() * y.norm())
    return float(x @ y) / scale if scale > 0.0 else math.nan


def spearman(x: Tensor, y: Tensor) -> float:
    """Correlation of the ranks of two float [N], -1 to 1; equal values share their mean rank."""
    return pearson(ranks(x), ranks(y))


def ranks(values: Tensor) -> Tensor:
    """Rank of each value from 0 on, equal ones with their mean, float64 [N]."""
    _, group, counts = torch.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    mean_rank: Tensor = last - (counts.double() + 1.0) / 2.0
    return mean_rank[group]


def flow_consistency(
    log_p: Tensor,
    log_target: Tensor,
    generator: torch.Generator,
    size: int = SUBSET_SIZE,
    n_subsets: int = N_SUBSETS,
) -> Consistency:
    """FCS: mean over random subsets of the total variation of p and R, each restricted to the subset.

    ½ Σ |p(x) / p(S) - R(x) / R(S)| over x in S. It is 0 for every S exactly if p is proportional to R on the
    given objects, whatever they miss. (Silva et al. 2025, "When do GFlowNets learn the right distribution?",
    ICLR.)

    Args:
        log_p: float [N], log probabilities of different objects, up to a constant.
        log_target: float [N], log R of the (tempered) target, up to a constant.
        generator: draws the subsets.
        size: objects in each, 2 to N.
        n_subsets: at least 2 for an error.
    """
    n = len(log_p)
    if not 2 <= size <= n:
        return Consistency(math.nan, math.nan)
    order = torch.rand((n_subsets, n), generator=generator, dtype=torch.float64, device=generator.device)
    chosen = order.argsort(dim=1)[:, :size].to(log_p.device)
    p, target = log_p.double()[chosen].softmax(dim=1), log_target.double()[chosen].softmax(dim=1)
    distance = 0.5 * (p - target).abs().sum(dim=1)
    return Consistency(float(distance.mean()), float(distance.std() / math.sqrt(n_subsets)))
