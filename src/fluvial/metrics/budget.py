"""What a search had found after so many reward calls. Works without torch.

Rewards come in the order in which they were asked for, each object once. A failed call is nan, and counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fluvial.metrics.molecules import top_k_mean

USUAL_BUDGETS = (1_000, 10_000, 64_000)
"""Numbers of calls at which searches are usually compared."""
AUC_EVERY = 100
"""Calls between two points under whose line the area is taken (Gao et al. 2022, arXiv:2206.12411)."""
AUC_BUDGET = 10_000
"""Calls over which the area is taken (Gao et al. 2022)."""


def moments(n_calls: int, n_points: int = 20) -> list[int]:
    """Numbers of calls at which to look, ascending: `n_points` evenly spaced, and the usual budgets met."""
    even = {round(n_calls * part / n_points) for part in range(1, n_points + 1)} - {0}
    return sorted(even | {budget for budget in USUAL_BUDGETS if budget <= n_calls})


def top_k_curve(rewards: ArrayLike, k: int, calls: Sequence[int]) -> list[float]:
    """Mean of the `k` largest rewards after each number of calls; nan while fewer than `k` are known."""
    numbers = np.asarray(rewards, dtype=np.float64)
    return [top_k_mean(numbers[:count], k) for count in calls]


def auc_top_k(rewards: ArrayLike, k: int = 10, budget: int = AUC_BUDGET, every: int = AUC_EVERY) -> float:
    """Area under the line of the mean of the `k` best rewards over calls, divided by the budget.

    As in PMO: the line starts at 0, is looked at after each `every` calls, and stays where it is when calls
    end before the budget does; with fewer than `k` rewards it is the mean of those there are, 0 for none.
    The unit is that of the reward, so it lies in [0, 1] only where rewards do. (Gao et al. 2022,
    arXiv:2206.12411.)

    Args:
        rewards: float [N] in the order of calls, nan where one failed.
        k: how many are the best.
        budget: calls over which the area is taken; what was called later does not count.
        every: calls between two points.
    """
    numbers = np.asarray(rewards, dtype=np.float64)[:budget]
    if not len(numbers):
        return 0.0
    counts = [*range(every, len(numbers), every), len(numbers)]
    heights = [_top_mean(numbers[:count], k) for count in counts]
    widths = np.diff([0, *counts])
    area = float((widths * (np.array(heights) + np.array([0.0, *heights[:-1]])) / 2.0).sum())
    return (area + (budget - len(numbers)) * heights[-1]) / budget


def _top_mean(rewards: NDArray[np.float64], k: int) -> float:
    n_known = int((~np.isnan(rewards)).sum())
    mean = top_k_mean(rewards, min(k, n_known)) if n_known else 0.0
    return 0.0 if math.isnan(mean) else mean
