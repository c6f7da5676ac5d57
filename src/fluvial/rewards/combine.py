"""Ways to make one reward of the values of several terms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fluvial.core.errors import ConfigError

Values = NDArray[np.float64]
Combine = Callable[[Values, Values], Values]


def product(values: Values, weights: Values) -> Values:
    """prod_k values_k^weights_k, [B]; nan where any value is missing.

    Args:
        values: float [B, K], >= 0, nan where missing.
        weights: float [K], >= 0.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        powers = np.power(values, weights)
        # A missing value to the power 0 would be 1.
        return np.where(np.isnan(values).any(axis=1), np.nan, powers.prod(axis=1))


def geometric_mean(values: Values, weights: Values) -> Values:
    """prod_k values_k^(weights_k / sum of weights), [B]; nan where any value is missing.

    Args:
        values: float [B, K], >= 0, nan where missing.
        weights: float [K], >= 0, not all 0.

    Raises:
        ConfigError: the weights add up to 0.
    """
    return product(values, _normalised(weights))


def arithmetic_mean(values: Values, weights: Values) -> Values:
    """sum_k values_k weights_k / sum of weights, [B]; nan where any value is missing.

    Args:
        values: float [B, K], >= 0, nan where missing.
        weights: float [K], >= 0, not all 0.

    Raises:
        ConfigError: the weights add up to 0.
    """
    with np.errstate(over="ignore"):
        total: Values = (values * _normalised(weights)).sum(axis=1)
    return total


def weighted_sum(values: Values, weights: Values) -> Values:
    """sum_k values_k weights_k, [B]; nan where any value is missing.

    Args:
        values: float [B, K], >= 0, nan where missing.
        weights: float [K], >= 0.
    """
    with np.errstate(over="ignore"):
        total: Values = (values * weights).sum(axis=1)
    return total


def chebyshev(values: Values, weights: Values) -> Values:
    """1 - max_k (w_k / max w) (1 - values_k), [B]: how far the worst term, in its weight, is from 1.

    Nan where any value is missing.

    Args:
        values: float [B, K], >= 0, nan where missing; made for values up to 1.
        weights: float [K], >= 0, not all 0.

    Raises:
        ConfigError: the weights add up to 0.
    """
    share = _normalised(weights)
    worst: Values = (share / share.max() * (1.0 - values)).max(axis=1)
    return 1.0 - worst


COMBINE: dict[str, Combine] = {
    "product": product,
    "geometric_mean": geometric_mean,
    "arithmetic_mean": arithmetic_mean,
    "weighted_sum": weighted_sum,
    "chebyshev": chebyshev,
}


def _normalised(weights: Values) -> Values:
    total = float(weights.sum())
    if total <= 0.0:
        raise ConfigError("a mean of reward terms needs at least one weight greater than 0")
    share: Values = weights / total
    return share
