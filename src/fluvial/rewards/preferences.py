"""Which trade-off between several reward terms each trajectory is asked to aim for."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fluvial.core.errors import ConfigError
from fluvial.core.types import Condition

SUM_TOLERANCE = 1e-4
"""How far given weights may sum from 1: what float32 loses on thousands of terms."""


def dirichlet(n: int, n_terms: int, concentration: float, generator: torch.Generator) -> Tensor:
    """Points of the simplex, float64 [n, n_terms] on the generator's device, each row with a sum of 1.

    Gamma variables divided by their sum, in logarithms: log G(a) = log G(a + 1) + log(U) / a, so that no
    concentration is too small for it. (Devroye 1986, "Non-uniform random variate generation", XI.4.)

    Args:
        n: number of points.
        n_terms: K, at least 1.
        concentration: of all K terms, above 0; 1 is uniform on the simplex, less prefers its corners.
        generator: of all draws.
    """
    shape = torch.full((n, n_terms), concentration + 1.0, dtype=torch.float64, device=generator.device)
    gamma = torch._standard_gamma(shape, generator=generator)
    uniform = torch.rand((n, n_terms), generator=generator, dtype=torch.float64, device=generator.device)
    return (gamma.log() + torch.log1p(-uniform) / concentration).softmax(dim=1)


@dataclass(frozen=True)
class Preferences:
    """Weights over K reward terms, from a Dirichlet distribution, for policies that are told the trade-off.

    The reward of a trajectory is the weighted sum of the terms. Beta is the same for all.

    Raises:
        ConfigError: a number out of range.
    """

    n_terms: int
    """K, at least 1."""
    concentration: float = 1.5
    """Of the Dirichlet distribution, the same for all terms, above 0; the reference's."""
    beta: float = 1.0
    """Inverse temperature, above 0."""

    def __post_init__(self) -> None:
        if self.n_terms < 1:
            raise ConfigError(f"preferences: n_terms = {self.n_terms} must be at least 1")
        for name in ("concentration", "beta"):
            _require_positive(name, getattr(self, name))

    @property
    def encoding_width(self) -> int:
        """Columns of `Condition.encoding`: the weights themselves."""
        return self.n_terms

    def sample(self, n: int, generator: torch.Generator) -> Condition:
        """Draw weights for `n` trajectories, on the generator's device."""
        return self._condition(self._draw(n, generator), self.beta)

    def fixed(self, n: int, beta: float, device: torch.device | str = "cpu") -> Condition:
        """Equal weights for `n` trajectories, at the given beta.

        Raises:
            ConfigError: beta is not a positive number.
        """
        _require_positive("beta", beta)
        return self._condition(torch.full((n, self.n_terms), 1.0 / self.n_terms, device=device), beta)

    def at(self, weights: Tensor) -> Condition:
        """One trajectory for each row of `weights` float [n, K], on their device.

        Raises:
            ConfigError: another number of terms, or a row that is negative somewhere or does not sum to 1.
        """
        if weights.dim() != 2 or weights.shape[1] != self.n_terms:
            raise ConfigError(
                f"preferences: weights of shape {list(weights.shape)} were given; give [n, {self.n_terms}],"
                " a row for each trajectory and a column for each reward term"
            )
        is_good = (weights >= 0.0).all(dim=1) & ((weights.sum(dim=1) - 1.0).abs() <= SUM_TOLERANCE)
        if not bool(is_good.all()):
            worst = weights[~is_good][0].tolist()
            raise ConfigError(f"preferences: the weights {worst} must be at least 0 each and sum to 1")
        return self._condition(weights, self.beta)

    def others(self, condition: Condition, n_samples: int, generator: torch.Generator) -> Condition:
        """Each of M conditions followed by n_samples - 1 with other weights, M * n_samples rows.

        Beta stays that of the row.

        Args:
            condition: M rows of this source.
            n_samples: J, at least 1.
            generator: of all draws.

        Raises:
            ConfigError: `n_samples` is less than 1.
        """
        if n_samples < 1:
            raise ConfigError(f"preferences: n_samples = {n_samples} must be at least 1")
        own, n_rows = condition.weights, len(condition)
        drawn = self._draw(n_rows * (n_samples - 1), generator).to(own)
        drawn = drawn.reshape(n_rows, n_samples - 1, self.n_terms)
        weights = torch.cat([own[:, None], drawn], dim=1).flatten(0, 1)
        repeated = condition.repeat(n_samples)
        return Condition(weights, repeated.beta, weights, repeated.focus)

    def _draw(self, n: int, generator: torch.Generator) -> Tensor:
        return dirichlet(n, self.n_terms, self.concentration, generator)

    def _condition(self, weights: Tensor, beta: float) -> Condition:
        weights = weights.to(torch.get_default_dtype())
        nothing = weights.new_zeros((len(weights), 0))
        return Condition(weights, weights.new_full((len(weights),), beta), weights, nothing)


def _require_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0.0):
        raise ConfigError(f"preferences: {name} = {value:g} must be a number greater than 0")
