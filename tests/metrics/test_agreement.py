from __future__ import annotations

import itertools
import math

import pytest
import torch

from fluvial.metrics.agreement import flow_consistency, pearson, ranks, spearman

N_CASES = 1000


def slow_ranks(values):
    """Number of smaller ones and half of the other equal ones."""
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) - 1) / 2
        for value in values
    ]


def slow_pearson(x, y):
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    both = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    scale = math.sqrt(sum((a - mean_x) ** 2 for a in x) * sum((b - mean_y) ** 2 for b in y))
    return both / scale if scale > 1e-12 else math.nan


def test_correlations_equal_sums():
    generator = torch.Generator().manual_seed(0)
    for _ in range(N_CASES):
        x, y = torch.randint(0, 5, (2, 6), generator=generator).double()
        assert ranks(x).tolist() == slow_ranks(x.tolist())
        assert pearson(x, y) == pytest.approx(slow_pearson(x.tolist(), y.tolist()), abs=1e-9, nan_ok=True)
        expected = slow_pearson(slow_ranks(x.tolist()), slow_ranks(y.tolist()))
        assert spearman(x, y) == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_rank_correlation_does_not_see_a_wrong_exponent():
    log_reward = torch.linspace(-3, 0, 20)
    assert spearman(2.0 * log_reward, log_reward) == pytest.approx(1.0)
    found = flow_consistency(2.0 * log_reward, log_reward, torch.Generator().manual_seed(0), size=5)
    assert found.value > 0.1


def slow_consistency(p, reward, size):
    """Over all subsets."""
    distances = []
    for some in itertools.combinations(range(len(p)), size):
        p_sum, reward_sum = sum(p[place] for place in some), sum(reward[place] for place in some)
        distances.append(sum(abs(p[place] / p_sum - reward[place] / reward_sum) for place in some) / 2)
    return sum(distances) / len(distances)


def test_consistency_of_all_objects_is_the_total_variation():
    """With one possible subset nothing is random; 1,000 cases."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(N_CASES):
        p, reward = torch.rand((2, 5), generator=generator, dtype=torch.float64) + 0.01
        found = flow_consistency(p.log(), reward.log(), generator, size=5, n_subsets=2)
        assert found.value == pytest.approx(slow_consistency(p.tolist(), reward.tolist(), 5))
        assert found.standard_error == pytest.approx(0.0, abs=1e-12)


def test_consistency_estimates_the_mean_over_all_subsets_within_its_error():
    generator = torch.Generator().manual_seed(2)
    n_within = 0
    for _ in range(200):
        p, reward = torch.rand((2, 6), generator=generator, dtype=torch.float64) + 0.01
        found = flow_consistency(p.log(), reward.log(), generator, size=3, n_subsets=200)
        gap = abs(found.value - slow_consistency(p.tolist(), reward.tolist(), 3))
        n_within += gap < 2 * found.standard_error
    assert 0.9 < n_within / 200 < 0.99


def test_consistency_needs_enough_objects():
    found = flow_consistency(torch.zeros(3), torch.zeros(3), torch.Generator(), size=4)
    assert math.isnan(found.value)
