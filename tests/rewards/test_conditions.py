from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fluvial.core.errors import ConfigError, RewardError
from fluvial.rewards.conditions import DISTRIBUTIONS, Temperature, gamma_quantile, log_reward, thermometer


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_thermometer_golden_values() -> None:
    values = torch.tensor([-1.0, 0.0, 0.3, 0.5, 1.0, 7.0])
    expected = [
        [0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0],
        [1.0, 0.2, 0.0, 0.0],
        [1.0, 1.0, 0.0, 0.0],
        [1.0, 1.0, 1.0, 1.0],
        [1.0, 1.0, 1.0, 1.0],
    ]
    torch.testing.assert_close(thermometer(values, 4, 0.0, 1.0), torch.tensor(expected))


@given(low=st.floats(-50, 50), width=st.floats(0.1, 100), n_bins=st.integers(1, 50))
def test_thermometer_is_full_at_the_upper_end_and_rises(low: float, width: float, n_bins: int) -> None:
    high = low + width
    encoding = thermometer(torch.linspace(low, high, 40), n_bins, low, high)
    assert encoding.shape == (40, n_bins)
    assert bool((encoding[0] == 0.0).all())
    assert bool((encoding[-1] == 1.0).all())
    assert bool((encoding.diff(dim=0) >= 0.0).all())
    assert bool((encoding.sum(dim=1).diff() > 0.0).all())


@pytest.mark.parametrize(
    ("name", "parameters", "mean", "deviation"),
    [
        ("constant", (3.0,), 3.0, 0.0),
        ("uniform", (0.5, 32.0), 16.25, 31.5 / math.sqrt(12)),
        ("loguniform", (1.0, math.e), math.e - 1, math.sqrt((math.e**2 - 1) / 2 - (math.e - 1) ** 2)),
        ("gamma", (2.0, 3.0), 6.0, math.sqrt(18.0)),
        ("beta", (2.0, 3.0), 0.4, 0.2),
    ],
)
def test_moments(name: str, parameters: tuple[float, ...], mean: float, deviation: float) -> None:
    n = 40_000
    beta = Temperature(name, parameters).sample(n, generator()).beta.double()
    assert float(beta.mean()) == pytest.approx(mean, abs=5 * deviation / math.sqrt(n) + 1e-6)
    assert float(beta.std()) == pytest.approx(deviation, rel=0.03, abs=1e-6)
    assert float(beta.min()) > 0.0


def test_every_distribution_is_tested() -> None:
    assert list(DISTRIBUTIONS) == ["constant", "uniform", "loguniform", "gamma", "beta"]


def test_gamma_and_beta_take_their_whole_shape() -> None:
    draws = Temperature("gamma", (2.0, 3.0)).sample(40_000, generator()).beta
    assert float((draws < gamma_quantile(2.0, 3.0)).double().mean()) == pytest.approx(0.95, abs=0.006)
    draws = Temperature("beta", (0.01, 0.01)).sample(1000, generator()).beta
    assert bool(draws.isfinite().all())


def test_gamma_quantile_golden_values() -> None:
    # Tables of chi-square: a gamma variable of shape k/2 and scale 2 with k degrees of freedom.
    assert gamma_quantile(0.5, 2.0) == pytest.approx(3.841459, abs=1e-6)
    assert gamma_quantile(1.0, 2.0) == pytest.approx(5.991465, abs=1e-6)
    assert gamma_quantile(5.0, 2.0) == pytest.approx(18.307038, abs=1e-6)
    assert gamma_quantile(5.0, 2.0, 0.99) == pytest.approx(23.209251, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "parameters", "low", "high"),
    [
        ("uniform", (0.5, 32.0), 0.5, 32.0),
        ("loguniform", (0.1, 0.7), 0.1, 0.7),
        ("gamma", (1.0, 2.0), 1e-30, 5.9914655),
        ("beta", (2.0, 3.0), 1e-30, 1.0),
    ],
)
def test_encoding_spans_the_distribution(
    name: str, parameters: tuple[float, ...], low: float, high: float
) -> None:
    temperature = Temperature(name, parameters, n_bins=8)
    assert temperature.encoding_width == 8
    torch.testing.assert_close(temperature.fixed(2, low).encoding, torch.zeros(2, 8))
    torch.testing.assert_close(temperature.fixed(2, high).encoding, torch.ones(2, 8))
    torch.testing.assert_close(temperature.fixed(2, 9 * high).encoding, torch.ones(2, 8))
    assert temperature.fixed(2, 9 * high).beta.tolist() == pytest.approx([9 * high] * 2)


def test_loguniform_encodes_the_logarithm() -> None:
    encoding = Temperature("loguniform", (1.0, 16.0), n_bins=4).fixed(1, 4.0).encoding
    torch.testing.assert_close(encoding, torch.tensor([[1.0, 1.0, 0.0, 0.0]]))


def test_sampled_condition() -> None:
    temperature = Temperature("uniform", (0.0001, 32.0))
    condition = temperature.sample(5, generator())
    assert condition.encoding.shape == (5, 32)
    assert condition.weights.shape == condition.focus.shape == (5, 0)
    assert condition.beta.dtype == condition.encoding.dtype == torch.float32
    torch.testing.assert_close(condition.encoding.sum(dim=1), condition.beta, atol=1e-3, rtol=0.0)
    again = temperature.sample(5, generator())
    assert torch.equal(again.beta, condition.beta)
    assert not torch.equal(temperature.sample(5, generator(1)).beta, condition.beta)


def test_constant_has_no_encoding() -> None:
    temperature = Temperature("constant", (32.0,))
    assert temperature.encoding_width == 0
    for condition in (temperature.sample(3, generator()), temperature.fixed(3, 32.0)):
        assert condition.encoding.shape == (3, 0)
        assert condition.beta.tolist() == [32.0] * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("normal", (1.0,)), "unknown distribution of beta 'normal'"),
        (("uniform", (1.0,)), "uniform needs the numbers low, high, not 1 of them"),
        (("uniform", (2.0, 1.0)), "high = 1 of uniform must be greater than low = 2"),
        (("gamma", (0.0, 1.0)), "shape = 0 of gamma must be greater than 0"),
        (("constant", (math.inf,)), "value = inf of constant must be greater than 0"),
        (("uniform", (1.0, 2.0), 0), "n_bins = 0 must be at least 1"),
    ],
)
def test_bad_arguments(arguments: tuple[str, tuple[float, ...]], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Temperature(*arguments)
    with pytest.raises(ConfigError, match="beta = -1 must be greater than 0"):
        Temperature().fixed(1, -1.0)


def test_log_reward() -> None:
    reward = torch.tensor([1.0, math.e, 1e-4, math.nan], dtype=torch.float64)
    result = log_reward(reward, torch.tensor([2.0, 3.0, 0.5, 1.0]))
    torch.testing.assert_close(result, torch.tensor([0.0, 3.0, -4.6051702, math.nan]), equal_nan=True)
    for bad in (0.0, -3.0):
        with pytest.raises(RewardError, match=f"a reward is {bad:g}"):
            log_reward(torch.tensor([0.5, bad]), torch.ones(2))
