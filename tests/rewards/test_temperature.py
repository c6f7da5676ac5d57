from __future__ import annotations

import math

import pytest
import torch

from fluvial.core.errors import ConfigError
from fluvial.rewards.temperature import DISTRIBUTIONS, Temperature, gamma_quantile


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


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
    beta = Temperature(name, parameters).draw(n, generator())
    assert float(beta.mean()) == pytest.approx(mean, abs=5 * deviation / math.sqrt(n) + 1e-6)
    assert float(beta.std()) == pytest.approx(deviation, rel=0.03, abs=1e-6)
    assert float(beta.min()) > 0.0


def test_every_distribution_is_tested() -> None:
    assert list(DISTRIBUTIONS) == ["constant", "uniform", "loguniform", "gamma", "beta"]


def test_gamma_and_beta_take_their_whole_shape() -> None:
    draws = Temperature("gamma", (2.0, 3.0)).draw(40_000, generator())
    assert float((draws < gamma_quantile(2.0, 3.0)).double().mean()) == pytest.approx(0.95, abs=0.006)
    draws = Temperature("beta", (0.01, 0.01)).draw(1000, generator())
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
        ("gamma", (1.0, 2.0), 1e-30, gamma_quantile(1.0, 2.0)),
        ("beta", (2.0, 3.0), 1e-30, 1.0),
    ],
)
@pytest.mark.parametrize("n_bins", [0, 1, 8])
def test_encoding_spans_the_distribution(
    name: str, parameters: tuple[float, ...], low: float, high: float, n_bins: int
) -> None:
    temperature = Temperature(name, parameters, n_bins)
    width = max(1, n_bins)
    assert temperature.encoding_width == width
    ends = temperature.encode(torch.tensor([low, high], dtype=torch.float64))
    torch.testing.assert_close(ends, torch.stack([torch.zeros(width), torch.ones(width)]).double())


@pytest.mark.parametrize("n_bins", [0, 8])
def test_only_gamma_tells_betas_above_its_span_apart(n_bins: int) -> None:
    high = gamma_quantile(2.0, 3.0)
    beta = torch.tensor([high, 2 * high, 4 * high], dtype=torch.float64)
    encoding = Temperature("gamma", (2.0, 3.0), n_bins).encode(beta)
    assert bool((encoding[:, :-1] == 1.0).all())
    last = encoding[:, -1].tolist()
    # The last bin goes on with the logarithm, a raw number as it is.
    assert last == pytest.approx([1.0, 2.0, 4.0] if n_bins == 0 else [1, 1 + math.log(2), 1 + math.log(4)])
    closed = Temperature("uniform", (1.0, 2.0), n_bins).encode(torch.tensor([2.0, 4.0, 8.0]))
    assert bool((closed == 1.0).all())


@pytest.mark.parametrize("name", ["uniform", "loguniform"])
def test_a_share_of_the_draws_is_each_end(name: str) -> None:
    drawn = Temperature(name, (1.0, 8.0), ends=0.05).draw(20_000, generator())
    assert float((drawn == 1.0).double().mean()) == pytest.approx(0.05, abs=0.006)
    assert float((drawn == 8.0).double().mean()) == pytest.approx(0.05, abs=0.006)
    inside = drawn[(drawn > 1.0) & (drawn < 8.0)]
    middle = 4.5 if name == "uniform" else 8.0**0.5
    assert float((inside < middle).double().mean()) == pytest.approx(0.5, abs=0.015)
    with pytest.raises(ConfigError, match=r"ends = 0.5 of uniform"):
        Temperature("uniform", (1.0, 8.0), ends=0.5)
    with pytest.raises(ConfigError, match=r"ends = 0.05 of gamma"):
        Temperature("gamma", (1.0, 8.0), ends=0.05)


def test_loguniform_encodes_the_logarithm() -> None:
    encoding = Temperature("loguniform", (1.0, 16.0), n_bins=4).encode(torch.tensor([4.0]))
    torch.testing.assert_close(encoding, torch.tensor([[1.0, 1.0, 0.0, 0.0]]))


def test_constant_has_no_encoding() -> None:
    temperature = Temperature("constant", (32.0,))
    assert temperature.encoding_width == 0
    assert temperature.encode(temperature.draw(3, generator())).shape == (3, 0)
    assert temperature.draw(3, generator()).tolist() == [32.0] * 3


def test_span_and_middle() -> None:
    assert Temperature("uniform", (1.0, 3.0)).span == (1.0, 3.0)
    assert Temperature("uniform", (1.0, 3.0)).middle() == 2.0
    assert Temperature("constant", (7.0,)).middle() == 7.0
    assert Temperature("gamma", (1.0, 1.0)).span == (0.0, math.inf)
    assert Temperature("gamma", (0.5, 2.0)).middle() == pytest.approx(3.841459 / 2, abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("normal", (1.0,)), "unknown distribution of beta 'normal'"),
        (("uniform", (1.0,)), "uniform needs the numbers low, high, not 1 of them"),
        (("uniform", (2.0, 1.0)), "high = 1 of uniform must be greater than low = 2"),
        (("gamma", (0.0, 1.0)), "shape = 0 of gamma must be greater than 0"),
        (("constant", (math.inf,)), "value = inf of constant must be greater than 0"),
        (("uniform", (1.0, 2.0), -1), "n_bins = -1 must be at least 0"),
    ],
)
def test_bad_arguments(arguments: tuple[str, tuple[float, ...]], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Temperature(*arguments)
