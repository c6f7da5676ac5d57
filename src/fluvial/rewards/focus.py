"""Which region of the space of reward terms each trajectory is asked to aim for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from fluvial.core.errors import ConfigError, DataError
from fluvial.rewards.encoding import Scale
from fluvial.rewards.preferences import chosen_rows, dirichlet

N_SPHERE = 10_000
"""Directions that `partition` divides; as in the usual implementation."""
N_REFINEMENTS = 100
"""Most rounds of k-means; it settles before."""
UNREACHED = 0.1
"""Weight of a direction that was asked for and never met, of 1 for the others. Roy et al. 2023."""


class Directions(Protocol):
    """A law of directions."""

    @property
    def n_different(self) -> int | None:
        """Number of different directions; None where there are infinitely many."""
        ...

    def __call__(self, n: int, generator: torch.Generator) -> Tensor:
        """Unit vectors without negative parts, float64 [n, K] on the generator's device."""
        ...


@dataclass(frozen=True)
class Listed:
    """One of several directions, each alike.

    Raises:
        ConfigError: no direction, or one that is negative somewhere, 0, or of another number of terms.
    """

    directions: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "directions", tuple(map(unit_direction, self.directions)))
        if len({len(direction) for direction in self.directions}) != 1:
            raise ConfigError("focus: give at least one direction, each with a number for every reward term")

    @property
    def n_different(self) -> int:
        """Number of directions."""
        return len(self.directions)

    def __call__(self, n: int, generator: torch.Generator) -> Tensor:
        """Unit vectors, float64 [n, K]."""
        return chosen_rows(self.directions, n, generator)


@dataclass(frozen=True)
class Simplex:
    """Points of a Dirichlet distribution, scaled to length 1."""

    n_terms: int
    concentration: float = 1.0
    n_different: None = None

    def __call__(self, n: int, generator: torch.Generator) -> Tensor:
        """Unit vectors, float64 [n, K]."""
        return _unit(dirichlet(n, self.n_terms, self.concentration, generator))


@dataclass(frozen=True)
class Sphere:
    """Uniform on the part of the sphere where no coordinate is negative."""

    n_terms: int
    n_different: None = None

    def __call__(self, n: int, generator: torch.Generator) -> Tensor:
        """Unit vectors, float64 [n, K]."""
        points = torch.randn(
            (n, self.n_terms), generator=generator, dtype=torch.float64, device=generator.device
        ).abs()
        return _unit(points)


class Reached:
    """Which directions of a table were asked for and which were met by objects: what `Learned` draws by.

    Args:
        n_terms: K, at least 1.
        resolution: points along each edge of the cube whose outer faces are the table, at least 2.
    """

    def __init__(self, n_terms: int, resolution: int) -> None:
        self.table = outer_faces(n_terms, resolution)
        self._asked = torch.zeros(len(self.table), dtype=torch.int64)
        self._met = torch.zeros(len(self.table), dtype=torch.int64)
        self.n_steps = 0
        """Training steps that were taken so far."""

    def weights(self) -> Tensor:
        """Weight of each direction of the table, float64 [D]: less where it was asked for and never met."""
        is_missed = (self._asked > 0) & (self._met == 0)
        return torch.ones(len(self.table), dtype=torch.float64).masked_fill(is_missed, UNREACHED)

    def record(self, asked: Tensor, values: Tensor) -> None:
        """Count the directions asked for, float [B, K], and those of the objects made, float [B, K].

        Objects without terms, or with terms that are all 0, meet no direction.
        """
        self._asked += self._nearest(asked).bincount(minlength=len(self.table))
        is_known = values.isfinite().all(dim=1) & (values > 0.0).any(dim=1)
        self._met += self._nearest(values[is_known]).bincount(minlength=len(self.table))

    def _nearest(self, directions: Tensor) -> Tensor:
        cosine = directions.to("cpu", torch.float64) @ self.table.T
        return cosine.argmax(dim=1)

    def state_dict(self) -> dict[str, Tensor | int]:
        """Everything needed to continue exactly."""
        return {"asked": self._asked.clone(), "met": self._met.clone(), "n_steps": self.n_steps}

    def load_state_dict(self, state: Mapping[str, Tensor | int]) -> None:
        """Continue from `state_dict`.

        Raises:
            DataError: the state is of another table.
        """
        asked, met = torch.as_tensor(state["asked"]), torch.as_tensor(state["met"])
        if asked.shape != self._asked.shape:
            raise DataError(
                f"the learned focus was saved with {len(asked)} directions, but this run has"
                f" {len(self.table)}: the reward or condition.focus is another one. Start a new run"
            )
        self._asked, self._met = asked.clone(), met.clone()
        self.n_steps = int(state["n_steps"])


@dataclass(frozen=True)
class Learned:
    """Directions of a table, those rarely that turned out to be out of reach (Roy et al. 2023, Tab-GS)."""

    memory: Reached
    first_step: int
    """Training step from which the memory is used; before, every direction of the table alike."""
    last_step: int
    """Training step up to which it is kept."""
    n_different: None = None

    def __call__(self, n: int, generator: torch.Generator) -> Tensor:
        """Unit vectors, float64 [n, K]."""
        table, device = self.memory.table, generator.device
        weights = torch.ones(len(table), dtype=torch.float64)
        if self.memory.n_steps >= self.first_step:
            weights = self.memory.weights()
        level = torch.rand(n, generator=generator, dtype=torch.float64, device=device).cpu()
        cumulative = weights.cumsum(dim=0)
        rows = torch.searchsorted(cumulative, level * cumulative[-1], right=True).clamp_max(len(table) - 1)
        return table[rows].to(device)

    def record(self, asked: Tensor, values: Tensor) -> None:
        """What one training step asked for and met."""
        if self.memory.n_steps < self.last_step:
            self.memory.record(asked, values)
        self.memory.n_steps += 1


@dataclass(frozen=True)
class Focus:
    """A direction in the space of the K reward terms for each trajectory; `target.Cone` is the region."""

    n_terms: int
    directions: Directions
    n_bins: int = 0
    """Bins that show each coordinate to the networks; 0 = the coordinates themselves."""

    @property
    def encoding_width(self) -> int:
        """Columns of the encoding; 0 where there is one direction only."""
        return 0 if self.directions.n_different == 1 else self.n_terms * (self.n_bins or 1)

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Unit vectors of `n` trajectories, float64 [n, K] on the generator's device."""
        return self.directions(n, generator)

    def middle(self) -> Tensor:
        """A direction to look at, float64 [K]: the first of a list, else that of equal terms."""
        if isinstance(self.directions, Listed):
            return torch.tensor(self.directions.directions[0], dtype=torch.float64)
        return torch.tensor(unit_direction((1.0,) * self.n_terms), dtype=torch.float64)

    def encode(self, focus: Tensor) -> Tensor:
        """What the networks see of directions float [n, K], float [n, encoding_width]."""
        if not self.encoding_width:
            return focus[:, :0]
        return Scale(0.0, 1.0, self.n_bins)(focus).flatten(1)


def unit_direction(direction: tuple[float, ...]) -> tuple[float, ...]:
    """The direction with length 1.

    Raises:
        ConfigError: it is negative somewhere, infinite, or 0.
    """
    length = math.hypot(*direction)
    if not math.isfinite(length) or length == 0.0 or min(direction) < 0.0:
        shown = ", ".join(f"{part:g}" for part in direction)
        raise ConfigError(f"focus: the direction {shown} must be at least 0 everywhere and more somewhere")
    return tuple(part / length for part in direction)


def partition(n_terms: int, n: int, seed: int = 0) -> tuple[tuple[float, ...], ...]:
    """`n` directions that divide the positive part of the sphere evenly: centres of k-means on it.

    Starts are spread by k-means++ (Arthur & Vassilvitskii 2007), so that no two are close. The same seed
    gives the same.
    """
    generator = torch.Generator().manual_seed(seed)
    points = Sphere(n_terms)(N_SPHERE, generator)
    centres = points[:1]
    while len(centres) < n:
        away = (1.0 - (points @ centres.T).amax(dim=1)).clamp_min(0.0)
        centres = torch.cat([centres, points[torch.multinomial(away, 1, generator=generator)]])
    for _ in range(N_REFINEMENTS):
        nearest = (points @ centres.T).argmax(dim=1)
        sums = torch.zeros_like(centres).index_add_(0, nearest, points)
        moved = _unit(sums)
        if torch.equal(moved, centres):
            break
        centres = moved
    return tuple(tuple(row) for row in centres.tolist())


def outer_faces(n_terms: int, resolution: int) -> Tensor:
    """Unit vectors to the points of a grid on [0, 1]^K that have a coordinate 1, float64 [D, K].

    There are r^K - (r - 1)^K of them.
    """
    edge = torch.linspace(0.0, 1.0, resolution, dtype=torch.float64)
    faces = []
    for one in range(n_terms):
        # Coordinates before the one that is 1 are less than 1, so that each point comes once.
        axes = [edge[:-1]] * one + [edge[-1:]] + [edge] * (n_terms - one - 1)
        faces.append(torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, n_terms))
    return _unit(torch.cat(faces))


def _unit(points: Tensor) -> Tensor:
    length: Tensor = points.norm(dim=1, keepdim=True)
    return points / length


DIRECTIONS: dict[str, Callable[..., Directions]] = {
    "centered": lambda n_terms: Listed(((1.0,) * n_terms,)),
    "partitioned": lambda n_terms, n, seed: Listed(partition(n_terms, n, seed)),
    "dirichlet": Simplex,
    "hyperspherical": Sphere,
    "listed": lambda n_terms, directions: Listed(directions),
}
"""Laws of directions by name, but the learned one; made of the number of terms and their own options."""
