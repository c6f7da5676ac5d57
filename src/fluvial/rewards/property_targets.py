"""Which values of properties each trajectory is asked to aim for."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fluvial.core.errors import ConfigError
from fluvial.rewards.encoding import Scale

DEFAULT_BINS = 16
"""Width of the encoding of a target; arbitrary, half of that of beta."""


@dataclass(frozen=True)
class PropertyTarget:
    """A raw property that is to have a value between two ends, drawn uniformly.

    Raises:
        ConfigError: the ends are not in order, or the width is not above 0.
    """

    name: str
    low: float
    high: float
    """More than `low`."""
    width: float
    """Standard deviation around the asked value that the reward allows, above 0."""
    n_bins: int = DEFAULT_BINS
    """Width of the encoding; 0 = one number."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ConfigError(
                f"target {self.name}: high = {self.high:g} must be more than low = {self.low:g}"
            )
        if not (math.isfinite(self.width) and self.width > 0.0):
            raise ConfigError(f"target {self.name}: width = {self.width:g} must be a number above 0")

    @property
    def scale(self) -> Scale:
        """How a value is shown to the networks."""
        return Scale(self.low, self.high, self.n_bins)


@dataclass(frozen=True)
class PropertyTargets:
    """P properties that each trajectory has a value to aim for, independent of each other."""

    parts: tuple[PropertyTarget, ...]
    """At least one."""

    @property
    def encoding_width(self) -> int:
        """Columns of the encoding."""
        return sum(part.scale.width for part in self.parts)

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Values of `n` trajectories, float64 [n, P] on the generator's device."""
        share = torch.rand(
            (n, len(self.parts)), generator=generator, dtype=torch.float64, device=generator.device
        )
        return self.middle().to(share) + (share - 0.5) * self._spread().to(share)

    def middle(self) -> Tensor:
        """The middle of each range, float64 [P]."""
        return torch.tensor([(part.low + part.high) / 2.0 for part in self.parts], dtype=torch.float64)

    def encode(self, target: Tensor) -> Tensor:
        """What the networks see of values float [n, P], float [n, encoding_width]."""
        return torch.cat([part.scale(target[:, place]) for place, part in enumerate(self.parts)], dim=1)

    def contains(self, values: Tensor) -> Tensor:
        """Which values float [n, P] are in their range, bool [n, P]; those that are missing are not."""
        low, high = ([getattr(part, end) for part in self.parts] for end in ("low", "high"))
        return (values >= values.new_tensor(low)) & (values <= values.new_tensor(high))

    def _spread(self) -> Tensor:
        return torch.tensor([part.high - part.low for part in self.parts], dtype=torch.float64)


@dataclass(frozen=True)
class AskedLogZ:
    """A log partition function to learn for, uniform between two ends, in place of a learned one.

    A policy that is told a log Z above the true one has to raise the probability of good objects beyond
    R / Z to balance it, and one that is told less to lower it.

    Raises:
        ConfigError: the ends are not in order.
    """

    low: float
    high: float
    """More than `low`."""
    n_bins: int = DEFAULT_BINS

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ConfigError(f"log_z: high = {self.high:g} must be more than low = {self.low:g}")

    @property
    def encoding_width(self) -> int:
        """Columns of the encoding."""
        return Scale(self.low, self.high, self.n_bins).width

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Values of `n` trajectories, float64 [n, 1] on the generator's device."""
        share = torch.rand((n, 1), generator=generator, dtype=torch.float64, device=generator.device)
        return self.low + (self.high - self.low) * share

    def middle(self) -> Tensor:
        """The middle of the range, float64 [1]."""
        return torch.tensor([(self.low + self.high) / 2.0], dtype=torch.float64)

    def encode(self, log_z: Tensor) -> Tensor:
        """What the networks see of values float [n, 1], float [n, encoding_width]."""
        return Scale(self.low, self.high, self.n_bins)(log_z[:, 0])
