"""How sharp a target each trajectory is asked to aim for: inverse temperatures and their encoding."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fluvial.chem.choices import choose_name
from fluvial.core.errors import ConfigError, RewardError
from fluvial.core.types import Condition

DEFAULT_BINS = 32
"""Width of the encoding of a varying temperature; arbitrary."""


@dataclass(frozen=True)
class Distribution:
    """A family of distributions of beta with named parameters."""

    parameters: tuple[str, ...]
    draw: Callable[[tuple[float, ...], int, torch.Generator], Tensor]
    """Takes the parameters, n and a generator; returns float64 [n] on the generator's device."""
    span: Callable[[tuple[float, ...]], tuple[float, float]]
    """Least and greatest beta that the encoding tells apart; equal where there is nothing to encode."""
    is_ordered: bool = False
    """Whether the second parameter must be greater than the first."""


def gamma_quantile(shape: float, scale: float, probability: float = 0.95) -> float:
    """The value that a gamma variable stays below with the given probability in (0, 1)."""
    low, high = 0.0, 1.0
    while _gamma_cdf(shape, high) < probability:
        high *= 2.0
    for _ in range(200):  # halving reaches the resolution of a double long before
        middle = (low + high) / 2.0
        low, high = (middle, high) if _gamma_cdf(shape, middle) < probability else (low, middle)
    return scale * high


def _gamma_cdf(shape: float, x: float) -> float:
    numbers = torch.tensor([shape, x], dtype=torch.float64)
    return float(torch.special.gammainc(numbers[0], numbers[1]))


def _constant(parameters: tuple[float, ...], n: int, generator: torch.Generator) -> Tensor:
    return torch.full((n,), parameters[0], dtype=torch.float64, device=generator.device)


def _uniform(parameters: tuple[float, ...], n: int, generator: torch.Generator) -> Tensor:
    low, high = parameters
    return low + (high - low) * torch.rand(
        n, generator=generator, dtype=torch.float64, device=generator.device
    )


def _loguniform(parameters: tuple[float, ...], n: int, generator: torch.Generator) -> Tensor:
    low, high = parameters
    return _uniform((math.log(low), math.log(high)), n, generator).exp()


def _standard_gamma(shape: float, n: int, generator: torch.Generator) -> Tensor:
    shapes = torch.full((n,), shape, dtype=torch.float64, device=generator.device)
    return torch._standard_gamma(shapes, generator=generator)


def _gamma(parameters: tuple[float, ...], n: int, generator: torch.Generator) -> Tensor:
    shape, scale = parameters
    return scale * _standard_gamma(shape, n, generator)


def _beta(parameters: tuple[float, ...], n: int, generator: torch.Generator) -> Tensor:
    first = _standard_gamma(parameters[0], n, generator)
    return first / (first + _standard_gamma(parameters[1], n, generator))


DISTRIBUTIONS: dict[str, Distribution] = {
    "constant": Distribution(("value",), _constant, lambda p: (p[0], p[0])),
    "uniform": Distribution(("low", "high"), _uniform, lambda p: (p[0], p[1]), is_ordered=True),
    "loguniform": Distribution(("low", "high"), _loguniform, lambda p: (p[0], p[1]), is_ordered=True),
    "gamma": Distribution(("shape", "scale"), _gamma, lambda p: (0.0, gamma_quantile(*p))),
    "beta": Distribution(("a", "b"), _beta, lambda p: (0.0, 1.0)),
}


@dataclass(frozen=True)
class Temperature:
    """A distribution of inverse temperatures beta, for policies that are told what to aim for.

    Raises:
        ConfigError: an unknown distribution, or parameters that are missing or out of range.
    """

    distribution: str = "constant"
    """Name out of `DISTRIBUTIONS`."""
    parameters: tuple[float, ...] = (1.0,)
    """Those that the distribution names, all > 0."""
    n_bins: int = DEFAULT_BINS
    """Width of the encoding unless the distribution is constant."""

    def __post_init__(self) -> None:
        name = choose_name("distribution of beta", self.distribution, DISTRIBUTIONS)
        object.__setattr__(self, "distribution", name)
        family, given = DISTRIBUTIONS[name], self.parameters
        if len(given) != len(family.parameters):
            needed = ", ".join(family.parameters)
            raise ConfigError(f"beta: {name} needs the numbers {needed}, not {len(given)} of them")
        for label, value in zip(family.parameters, given, strict=True):
            if not (math.isfinite(value) and value > 0.0):
                raise ConfigError(f"beta: {label} = {value:g} of {name} must be greater than 0")
        if family.is_ordered and given[0] >= given[1]:
            raise ConfigError(f"beta: high = {given[1]:g} of {name} must be greater than low = {given[0]:g}")
        if self.n_bins < 1:
            raise ConfigError(f"beta: n_bins = {self.n_bins} must be at least 1")

    @property
    def encoding_width(self) -> int:
        """Columns of `Condition.encoding`; 0 for a constant beta."""
        return 0 if self.distribution == "constant" else self.n_bins

    def sample(self, n: int, generator: torch.Generator) -> Condition:
        """Draw beta for `n` trajectories, on the generator's device."""
        return self._condition(DISTRIBUTIONS[self.distribution].draw(self.parameters, n, generator))

    def fixed(self, n: int, beta: float, device: torch.device | str = "cpu") -> Condition:
        """The same beta for `n` trajectories; the encoding is that of the nearest beta in the span.

        Raises:
            ConfigError: beta is not a positive number.
        """
        if not (math.isfinite(beta) and beta > 0.0):
            raise ConfigError(f"beta = {beta:g} must be greater than 0")
        return self._condition(torch.full((n,), beta, dtype=torch.float64, device=device))

    def _condition(self, beta: Tensor) -> Condition:
        low, high = DISTRIBUTIONS[self.distribution].span(self.parameters)
        dtype = torch.get_default_dtype()
        nothing = beta.new_zeros((len(beta), 0), dtype=dtype)
        if not self.encoding_width:
            return Condition(nothing, beta.to(dtype), nothing, nothing)
        if self.distribution == "loguniform":
            # Equal steps of the encoding for equally probable steps of beta.
            encoding = thermometer(beta.log(), self.n_bins, math.log(low), math.log(high))
        else:
            encoding = thermometer(beta, self.n_bins, low, high)
        return Condition(encoding.to(dtype), beta.to(dtype), nothing, nothing)


def thermometer(values: Tensor, n_bins: int, low: float, high: float) -> Tensor:
    """Bins that fill up one after the other, float [B, n_bins]: all 0 at `low`, all 1 at `high`.

    Bin i, of width g = (high - low) / n_bins, holds clip(v - (low + i g), 0, g) / g.
    Values outside are clamped.

    Args:
        values: float [B].
        n_bins: >= 1.
        low: lower end of the first bin.
        high: upper end of the last bin, > low.
    """
    # The ends in the precision of the values, so that the upper end is met exactly.
    start, end = values.new_tensor(low), values.new_tensor(high)
    filled = (values[:, None] - start) / (end - start) * n_bins
    return (filled - torch.arange(n_bins, device=values.device, dtype=values.dtype)).clamp(0.0, 1.0)


def log_target(reward: Tensor, values: Tensor, condition: Condition) -> Tensor:
    """log R of what each row was asked for, float [B]; nan where there is no reward.

    With preferences the reward is the weighted sum of the terms, else the one that is given.

    Args:
        reward: float [B], nan where missing.
        values: float [B, K], the terms; not read without preferences.
        condition: [B].

    Raises:
        RewardError: a reward is 0 or negative.
    """
    if condition.weights.shape[1]:
        reward = (values * condition.weights).sum(dim=1)
    return log_reward(reward, condition.beta)


def log_reward(reward: Tensor, beta: Tensor) -> Tensor:
    """beta * log(reward), float [B]; nan where there is no reward.

    Args:
        reward: float [B], > 0, nan where missing.
        beta: float [B].

    Raises:
        RewardError: a reward is 0 or negative.
    """
    if bool((reward <= 0.0).any()):
        worst = float(reward[reward <= 0.0][0])
        raise RewardError(f"a reward is {worst:g}, but only rewards greater than 0 have a logarithm")
    return (beta * reward.log()).to(beta.dtype)
