"""Which trade-off between several reward terms each trajectory is asked to aim for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fluvial.chem.choices import choose_name
from fluvial.core.errors import ConfigError
from fluvial.rewards.encoding import Scale

CONCENTRATION = 1.5
"""Of the Dirichlet distribution; the usual one of multi-objective sEH. Jain et al. 2023, arXiv:2210.12765."""
LEAST_CONCENTRATION = 1e-6
"""Below it every draw is a corner already; keeps log(U) / a finite."""


def dirichlet(n: int, n_terms: int, concentration: float | Tensor, generator: torch.Generator) -> Tensor:
    """Points of the simplex, float64 [n, n_terms] on the generator's device, each row with a sum of 1.

    Gamma variables divided by their sum, in logarithms: log G(a) = log G(a + 1) + log(U) / a, so that no
    concentration is too small for it. (Devroye 1986, "Non-uniform random variate generation", XI.4.)

    Args:
        n: number of points.
        n_terms: K, at least 1.
        concentration: above 0, of all K terms or float64 [n, K]; 1 is uniform on the simplex, less prefers
            its corners.
        generator: of all draws.
    """
    device = generator.device
    shape = torch.zeros((n, n_terms), dtype=torch.float64, device=device) + concentration
    gamma = torch._standard_gamma(shape + 1.0, generator=generator)
    uniform = torch.rand((n, n_terms), generator=generator, dtype=torch.float64, device=device)
    return (gamma.log() + torch.log1p(-uniform) / shape).softmax(dim=1)


def dirichlet_exponential(n: int, n_terms: int, concentration: float, generator: torch.Generator) -> Tensor:
    """Dirichlet weights whose concentrations are drawn themselves: Dir(a b), a of Dir(concentration), b of
    Exp(1); float64 [n, n_terms]. More corners and edges than a Dirichlet distribution has.
    """
    centre = dirichlet(n, n_terms, concentration, generator)
    uniform = torch.rand((n, 1), generator=generator, dtype=torch.float64, device=generator.device)
    spread = (centre * -torch.log1p(-uniform)).clamp_min(LEAST_CONCENTRATION)
    return dirichlet(n, n_terms, spread, generator)


Law = Callable[[int, int, float, torch.Generator], Tensor]
LAWS: dict[str, Law] = {"dirichlet": dirichlet, "dirichlet_exponential": dirichlet_exponential}
"""Distributions of weights by name: `law(n, n_terms, concentration, generator)`."""


@dataclass(frozen=True)
class Preferences:
    """Weights over K reward terms, each row with a sum of 1, for policies that are told the trade-off.

    Raises:
        ConfigError: a number out of range, or choices that are no weights.
    """

    n_terms: int
    """K, at least 1."""
    law: str = "dirichlet"
    """Name out of `LAWS`; not used where there are choices."""
    concentration: float = CONCENTRATION
    """Of the law, the same for all terms, above 0."""
    choices: tuple[tuple[float, ...], ...] = ()
    """Weights to choose from, each alike; those of the law where there are none."""
    n_bins: int = 0
    """Bins that show each weight to the networks; 0 = the weights themselves."""

    def __post_init__(self) -> None:
        if self.n_terms < 1:
            raise ConfigError(f"preferences: n_terms = {self.n_terms} must be at least 1")
        object.__setattr__(self, "law", choose_name("law of preferences", self.law, LAWS))
        if not (math.isfinite(self.concentration) and self.concentration > 0.0):
            raise ConfigError(f"preferences: concentration = {self.concentration:g} must be a number above 0")
        if self.n_bins < 0:
            raise ConfigError(f"preferences: n_bins = {self.n_bins} must be at least 0")
        chosen = tuple(normalised(choice, self.n_terms) for choice in self.choices)
        object.__setattr__(self, "choices", chosen)

    @property
    def encoding_width(self) -> int:
        """Columns of the encoding; 0 where there is only one choice."""
        return 0 if len(self.choices) == 1 else self.n_terms * (self.n_bins or 1)

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Weights of `n` trajectories, float64 [n, K] on the generator's device."""
        if not self.choices:
            return LAWS[self.law](n, self.n_terms, self.concentration, generator)
        return chosen_rows(self.choices, n, generator)

    def middle(self) -> Tensor:
        """Weights to look at, float64 [K]: equal ones, or the first choice."""
        first = self.choices[0] if self.choices else normalised((1.0,) * self.n_terms, self.n_terms)
        return torch.tensor(first, dtype=torch.float64)

    def encode(self, weights: Tensor) -> Tensor:
        """What the networks see of weights float [n, K], float [n, encoding_width]."""
        if not self.encoding_width:
            return weights[:, :0]
        return Scale(0.0, 1.0, self.n_bins)(weights).flatten(1)


def chosen_rows(choices: Sequence[Sequence[float]], n: int, generator: torch.Generator) -> Tensor:
    """`n` of the choices, each alike, float64 [n, K]; a single one costs no random number."""
    rows = torch.tensor(choices, dtype=torch.float64, device=generator.device)
    if len(rows) == 1:
        return rows.expand(n, -1)
    return rows[torch.randint(len(rows), (n,), generator=generator, device=generator.device)]


def normalised(weights: tuple[float, ...], n_terms: int) -> tuple[float, ...]:
    """The weights over their sum.

    Raises:
        ConfigError: another number of terms, a negative or infinite weight, or all 0.
    """
    if len(weights) != n_terms:
        raise ConfigError(f"preferences: {len(weights)} weights were given for {n_terms} reward terms")
    total = sum(weights)
    if not all(math.isfinite(weight) and weight >= 0.0 for weight in weights) or total <= 0.0:
        shown = ", ".join(f"{weight:g}" for weight in weights)
        raise ConfigError(f"preferences: the weights {shown} must be at least 0, and one of them more")
    return tuple(weight / total for weight in weights)


def seeded_choices(n_terms: int, n: int, concentration: float, seed: int) -> tuple[tuple[float, ...], ...]:
    """`n` weights over K terms, the same for the same seed: drawn once from a Dirichlet distribution."""
    drawn = dirichlet(n, n_terms, concentration, torch.Generator().manual_seed(seed))
    return tuple(tuple(row) for row in drawn.tolist())
