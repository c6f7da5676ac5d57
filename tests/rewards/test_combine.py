from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fluvial.core.errors import ConfigError
from fluvial.rewards.combine import COMBINE, arithmetic_mean, chebyshev, geometric_mean, product, weighted_sum

VALUES = np.array([[0.5, 0.2], [1.0, 0.0], [4.0, 2.0], [0.5, np.nan], [np.nan, np.nan]])


def test_product_has_weights_as_exponents() -> None:
    assert_allclose(product(VALUES, np.array([1.0, 1.0])), [0.1, 0.0, 8.0, np.nan, np.nan])
    assert_allclose(product(VALUES, np.array([2.0, 1.0])), [0.05, 0.0, 32.0, np.nan, np.nan])


def test_geometric_mean() -> None:
    assert_allclose(geometric_mean(VALUES, np.array([1.0, 1.0])), [0.1**0.5, 0.0, 8.0**0.5, np.nan, np.nan])
    assert_allclose(geometric_mean(VALUES[2:3], np.array([3.0, 1.0])), [128.0**0.25])


def test_arithmetic_mean() -> None:
    assert_allclose(arithmetic_mean(VALUES, np.array([1.0, 3.0])), [0.275, 0.25, 2.5, np.nan, np.nan])


@pytest.mark.parametrize("name", COMBINE)
def test_a_missing_value_counts_even_with_weight_0(name: str) -> None:
    result = COMBINE[name](VALUES, np.array([1.0, 0.0]))
    # Chebyshev's distance is to the point where each term is 1, beyond which nothing is better.
    assert_allclose(result, [0.5, 1.0, 1.0 if name == "chebyshev" else 4.0, np.nan, np.nan])


def test_weighted_sum_and_chebyshev() -> None:
    assert_allclose(weighted_sum(VALUES, np.array([1.0, 3.0])), [1.1, 1.0, 10.0, np.nan, np.nan])
    # 1 - max(1/2 0.5, 1 0.8), and 1 - max(0, 1).
    assert_allclose(chebyshev(VALUES[:2], np.array([1.0, 2.0])), [0.2, 0.0], atol=1e-15)


@pytest.mark.parametrize("name", ["geometric_mean", "arithmetic_mean"])
def test_means_do_not_depend_on_the_scale_of_weights(name: str) -> None:
    weights = np.array([0.3, 1.7])
    assert_allclose(COMBINE[name](VALUES, weights), COMBINE[name](VALUES, 10 * weights))
    with pytest.raises(ConfigError, match="at least one weight greater than 0"):
        COMBINE[name](VALUES, np.zeros(2))
