"""From what an object is worth and what was asked for to the log of the target: the formulas."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fluvial.chem.choices import choose_name
from fluvial.core.errors import ConfigError, RewardError
from fluvial.core.types import Condition

OUTSIDE = -75.0
"""Log target of an object that misses its focus region; as in the usual multi-objective sEH task."""
COSINE, COEFFICIENT = 0.98, 0.1
"""Half-angle of a focus region and what is left of the reward at its rim. Roy et al. 2023."""

Scalarise = Callable[[Tensor, Tensor], Tensor]


def weighted_sum(values: Tensor, weights: Tensor) -> Tensor:
    """sum_k w_k v_k, float [B].

    Args:
        values: float [B, K], >= 0.
        weights: float [B, K], >= 0.
    """
    return (values * weights).sum(dim=1)


def weighted_product(values: Tensor, weights: Tensor) -> Tensor:
    """prod_k v_k^w_k, float [B]; 0^0 is 1, so a term without weight does not matter."""
    return torch.where(values.isnan(), values, values.pow(weights)).prod(dim=1)


def chebyshev(values: Tensor, weights: Tensor) -> Tensor:
    """1 - max_k (w_k / max w) (1 - v_k), float [B]: how far the worst term, in its weight, is from 1.

    The weighted Chebyshev distance to the point where each term is 1, with the greatest weight scaled to 1:
    equal weights give the least term. It reaches trade-offs in dents of the front, which no sum does.
    (Miettinen 1999, "Nonlinear multiobjective optimization", 2.4.)
    """
    share = weights / weights.amax(dim=1, keepdim=True)
    return 1.0 - (share * (1.0 - values)).amax(dim=1)


SCALARISATIONS: dict[str, Scalarise] = {
    "weighted_sum": weighted_sum,
    "weighted_product": weighted_product,
    "chebyshev": chebyshev,
}
"""Terms float [B, K] and weights float [B, K] to one worth float [B], by name."""


@dataclass(frozen=True)
class Cone:
    """The focus region around a direction d: objects whose terms v have a cosine to d of at least a limit.

    Inside, the reward is multiplied by cos(v, d)^gamma, which is 1 at the centre and `coefficient` at the
    rim. (Roy et al. 2023, arXiv:2306.04620.)

    Raises:
        ConfigError: a number is not between 0 and 1.
    """

    cosine: float = COSINE
    """Limit, above 0 and below 1."""
    coefficient: float = COEFFICIENT
    """Above 0, at most 1; 1 = all of the region alike."""

    def __post_init__(self) -> None:
        if not 0.0 < self.cosine < 1.0:
            raise ConfigError(f"focus: cosine = {self.cosine:g} must be more than 0 and less than 1")
        if not 0.0 < self.coefficient <= 1.0:
            raise ConfigError(f"focus: coefficient = {self.coefficient:g} must be more than 0 and at most 1")

    @property
    def gamma(self) -> float:
        """log(coefficient) / log(cosine)."""
        return math.log(self.coefficient) / math.log(self.cosine)

    def log_coefficient(self, cosine: Tensor) -> Tensor:
        """gamma log(cos), float [B]; -inf outside of the region and nan where the cosine is."""
        inside = self.gamma * cosine.clamp(self.cosine, 1.0).log()
        return torch.where(cosine < self.cosine, -math.inf, inside)


def cosines(values: Tensor, directions: Tensor) -> Tensor:
    """Cosine between each row of terms and its direction, float [B]; 0 for terms that are all 0.

    Args:
        values: float [B, K], >= 0.
        directions: float [B, K], not 0.
    """
    directions = directions.to(values)
    length = values.norm(dim=1) * directions.norm(dim=1)
    dot = (values * directions).sum(dim=1)
    return torch.where(length == 0.0, 0.0, dot / torch.where(length == 0.0, 1.0, length))


@dataclass(frozen=True)
class Target:
    """log R of what each row was asked for.

    With preferences or a focus region, r is the scalarised terms and not the one fixed reward; with property
    targets it is multiplied by exp(-((p - asked) / width)^2 / 2) for each property p. Then

        log R = beta log(max(r, floor))                                     without a focus region,
        log R = max(beta (log(max(r, floor)) + log coefficient), outside)   inside of it,
        log R = max(beta outside, outside)                                  outside.
    """

    scalarisation: str = "weighted_sum"
    """Name out of `SCALARISATIONS`."""
    floor: float = 0.0
    """Smallest worth of what is scalarised or has targets."""
    cone: Cone = Cone()
    outside: float = OUTSIDE
    """Below 0."""
    widths: tuple[float, ...] = ()
    """Standard deviation that each property target allows, in the unit of the property, P of them."""

    def __post_init__(self) -> None:
        name = choose_name("scalarisation", self.scalarisation, SCALARISATIONS)
        object.__setattr__(self, "scalarisation", name)
        if not self.outside < 0.0:
            raise ConfigError(f"focus: outside = {self.outside:g} must be less than 0")

    def __call__(self, reward: Tensor, values: Tensor, condition: Condition) -> Tensor:
        """log R float [B]; nan where there is no reward.

        Args:
            reward: float [B], nan where missing; not read where preferences or focus regions weigh the terms.
            values: float [B, K + P]: the terms, then the raw properties that have targets; nan where missing.
            condition: [B].

        Raises:
            RewardError: a reward is 0 or negative.
        """
        n_terms, n_targets = condition.weights.shape[1], condition.target.shape[1]
        terms = values[:, :n_terms]
        worth = reward
        if n_terms:
            worth = SCALARISATIONS[self.scalarisation](terms, condition.weights.to(terms))
        if n_targets:
            worth = worth * self._match(values[:, values.shape[1] - n_targets :], condition.target)
        if n_terms or n_targets:
            worth = worth.clamp_min(self.floor)
        if condition.focus.shape[1]:
            return self._focused(worth, terms, condition)
        return log_reward(worth, condition.beta)

    def _match(self, properties: Tensor, asked: Tensor) -> Tensor:
        """How near the properties are to what was asked for, 0 to 1, float [B]; 0 where one is missing."""
        miss = (properties - asked.to(properties)) / properties.new_tensor(self.widths)
        return (-0.5 * miss.square().sum(dim=1)).exp().nan_to_num(nan=0.0)

    def _focused(self, worth: Tensor, terms: Tensor, condition: Condition) -> Tensor:
        soft = self.cone.log_coefficient(cosines(terms, condition.focus))
        inside = log_reward(worth, torch.ones_like(worth)) + soft
        log_target = torch.where(inside == -math.inf, self.outside, inside)
        return (condition.beta * log_target).clamp_min(self.outside).to(condition.beta.dtype)


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
