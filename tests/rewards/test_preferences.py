from __future__ import annotations

import math
import re

import pytest
import torch

from fluvial.core.errors import ConfigError
from fluvial.rewards.conditions import log_target
from fluvial.rewards.preferences import Preferences, dirichlet


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("n_terms", "concentration"), [(2, 1.0), (3, 1.5), (4, 0.2), (2, 20.0), (1, 1.0)])
def test_moments(n_terms: int, concentration: float) -> None:
    n, total = 40_000, n_terms * concentration
    draws = dirichlet(n, n_terms, concentration, generator())
    mean, variance = 1 / n_terms, (n_terms - 1) / (n_terms**2 * (total + 1))
    assert draws.mean(dim=0).tolist() == pytest.approx(
        [mean] * n_terms, abs=5 * math.sqrt(variance / n) + 1e-12
    )
    expected = torch.full((n_terms, n_terms), -variance / max(1, n_terms - 1), dtype=torch.float64)
    expected.fill_diagonal_(variance)
    covariance = draws.T.cov().reshape(n_terms, n_terms)
    torch.testing.assert_close(covariance, expected, rtol=0.0, atol=0.03 * variance + 1e-12)


@pytest.mark.parametrize(
    ("concentration", "below"),
    [
        # A weight of two has the distribution Beta(a, a): a = 1 is uniform, 1/2 has 2/pi asin(sqrt(x)),
        # 2 has x^2 (3 - 2 x); the last by numerical integration.
        (1.0, 0.25),
        (0.5, 1 / 3),
        (2.0, 0.15625),
        (0.01, 0.4946),
    ],
)
def test_a_weight_of_two_is_beta_distributed(concentration: float, below: float) -> None:
    draws = dirichlet(40_000, 2, concentration, generator(1))
    assert float((draws[:, 0] < 0.25).double().mean()) == pytest.approx(below, abs=5 * 0.5 / 200)


@pytest.mark.parametrize("concentration", [1e-4, 1e-3, 1e4])
def test_extreme_concentrations_stay_on_the_simplex(concentration: float) -> None:
    draws = dirichlet(1000, 3, concentration, generator())
    assert bool((draws >= 0.0).all())
    torch.testing.assert_close(draws.sum(dim=1), torch.ones(1000).double(), rtol=0.0, atol=1e-12)
    largest = draws.amax(dim=1)
    if concentration < 1.0:
        # Of three, each is the one that counts in a third of the draws: gamma variables that underflow to
        # the same smallest number would make it 1/3, 1/3, 1/3.
        assert float((largest > 0.999).double().mean()) > 0.95
        counts = draws.argmax(dim=1).bincount(minlength=3) / 1000
        assert counts.tolist() == pytest.approx([1 / 3] * 3, abs=0.075)
    else:
        assert float(largest.max()) < 0.36


def test_sampled_condition() -> None:
    preferences = Preferences(3, concentration=1.5, beta=4.0)
    condition = preferences.sample(5, generator())
    assert condition.weights.shape == (5, 3)
    assert preferences.encoding_width == 3
    assert torch.equal(condition.encoding, condition.weights)
    assert condition.beta.tolist() == [4.0] * 5
    assert condition.focus.shape == (5, 0)
    assert condition.weights.dtype == condition.beta.dtype == torch.float32
    torch.testing.assert_close(condition.weights.sum(dim=1), torch.ones(5))
    assert torch.equal(preferences.sample(5, generator()).weights, condition.weights)
    assert not torch.equal(preferences.sample(5, generator(1)).weights, condition.weights)


def test_the_reward_is_the_weighted_sum_of_the_terms() -> None:
    condition = Preferences(2, beta=2.0).at(torch.tensor([[0.25, 0.75], [1.0, 0.0], [0.0, 1.0]]))
    values = torch.tensor([[4.0, 8.0]], dtype=torch.float64).expand(3, 2)
    target = log_target(torch.full((3,), math.nan), values, condition)
    # (1/4 4 + 3/4 8)^2 = 49, 4^2 and 8^2.
    torch.testing.assert_close(target.exp(), torch.tensor([49.0, 16.0, 64.0]))


def test_fixed_has_equal_weights() -> None:
    condition = Preferences(4).fixed(2, 3.0)
    assert condition.weights.tolist() == condition.encoding.tolist() == [[0.25] * 4] * 2
    assert condition.beta.tolist() == [3.0, 3.0]


def test_others_start_with_the_own_weights_and_keep_beta() -> None:
    preferences = Preferences(2, beta=1.0)
    given = torch.tensor([[0.2, 0.8], [0.5, 0.5]])
    own = preferences.at(given)
    own = type(own)(own.encoding, torch.tensor([1.0, 7.0]), own.weights, own.focus)
    others = preferences.others(own, 3, generator())
    assert len(others) == 6
    assert torch.equal(others.weights[::3], given)
    assert torch.equal(others.encoding, others.weights)
    assert others.beta.tolist() == [1.0, 1.0, 1.0, 7.0, 7.0, 7.0]
    assert len(set(others.weights[:, 0].tolist())) == 6
    torch.testing.assert_close(others.weights.sum(dim=1), torch.ones(6))
    assert torch.equal(preferences.others(own, 1, generator()).weights, given)
    assert torch.equal(preferences.others(own, 3, generator()).weights, others.weights)


def test_others_are_distributed_as_samples_are() -> None:
    preferences = Preferences(2, concentration=0.5)
    others = preferences.others(preferences.fixed(10_000, 1.0), 4, generator()).weights.reshape(-1, 4, 2)
    assert bool((others[:, 0] == 0.5).all())
    fresh = others[:, 1:, 0]
    assert float((fresh < 0.25).double().mean()) == pytest.approx(1 / 3, abs=0.015)
    # Neighbours of a row are drawn apart.
    assert float(fresh.T.corrcoef().triu(1).abs().max()) < 0.05


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "n_terms = 0 must be at least 1"),
        ((2, 0.0), "concentration = 0 must be a number greater than 0"),
        ((2, math.inf), "concentration = inf must be a number greater than 0"),
        ((2, 1.5, -1.0), "beta = -1 must be a number greater than 0"),
    ],
)
def test_bad_arguments(arguments: tuple[float, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Preferences(*arguments)  # type: ignore[arg-type]


def test_bad_calls() -> None:
    preferences = Preferences(2)
    with pytest.raises(ConfigError, match="beta = nan must be a number greater than 0"):
        preferences.fixed(1, math.nan)
    with pytest.raises(ConfigError, match="n_samples = 0 must be at least 1"):
        preferences.others(preferences.fixed(1, 1.0), 0, generator())
    with pytest.raises(ConfigError, match=re.escape("shape [1, 3] were given; give [n, 2]")):
        preferences.at(torch.ones(1, 3) / 3)
    for bad in ([0.5, 0.6], [1.5, -0.5], [math.nan, 1.0]):
        with pytest.raises(ConfigError, match="must be at least 0 each and sum to 1"):
            preferences.at(torch.tensor([[0.5, 0.5], bad]))
