"""The hypergrid: walk from the origin of a D-dimensional grid by unit steps and stop anywhere.

Source: Bengio et al. 2021, arXiv:2106.04399, section 4.1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fluvial.core.batch import Batch
from fluvial.core.environment import Encoded, Found
from fluvial.core.errors import ConfigError

MOST_POINTS = 1 << 61  # twice the number of a point fits in a signed 64-bit key
COORDINATES = re.compile(r"\s*[0-9]{1,18}\s*(,\s*[0-9]{1,18}\s*)*", re.ASCII)


@dataclass(frozen=True)
class Grid(Batch):
    """Points of the grid."""

    coordinate: Tensor
    """int64 [B, D], from 0 to side - 1."""
    is_done: Tensor
    """bool [B], whether the stop was taken."""


class Hypergrid:
    """Environment of side^dimension objects; an object is a point, written "3,0,5".

    Action 0 is stop, action d adds 1 to coordinate d - 1; backward action 0 undoes the stop, d subtracts 1.

    Args:
        dimension: number of coordinates D, at least 1.
        side: values of each coordinate H, at least 2.

    Raises:
        ConfigError: an argument out of range, or more points than 62 bits can number.
    """

    def __init__(self, dimension: int, side: int) -> None:
        if dimension < 1:
            raise ConfigError(f"hypergrid dimension is {dimension}; it must be at least 1")
        if side < 2:
            raise ConfigError(f"hypergrid side is {side}; it must be at least 2")
        if side**dimension > MOST_POINTS:
            raise ConfigError(
                f"a hypergrid of side {side} and dimension {dimension} has more than 2^61 points, "
                "too many to number; choose a smaller one"
            )
        self.dimension = dimension
        self.side = side
        self.n_actions = dimension + 1
        self.n_back_actions = dimension + 1
        self.max_steps = dimension * (side - 1) + 1
        self.observation_width = dimension * side

    def initial(self, n: int, device: torch.device | str = "cpu") -> Grid:
        """`n` copies of the origin."""
        return Grid(
            torch.zeros(n, self.dimension, dtype=torch.int64, device=device),
            torch.zeros(n, dtype=torch.bool, device=device),
        )

    def mask(self, states: Grid) -> Tensor:
        """Stop anywhere, and steps that stay inside, bool [B, D + 1]."""
        going = ~states.is_done[:, None]
        return torch.cat([going, (states.coordinate < self.side - 1) & going], dim=1)

    def step(self, states: Grid, actions: Tensor) -> Grid:
        """The next points; a finished row stays as it is."""
        moves = self._moves(actions) * ~states.is_done[:, None]
        return Grid(states.coordinate + moves, states.is_done | (actions == 0))

    def back_mask(self, states: Grid) -> Tensor:
        """Undoing the stop where it was taken, else steps back that stay inside, bool [B, D + 1]."""
        done = states.is_done[:, None]
        return torch.cat([done, (states.coordinate > 0) & ~done], dim=1)

    def step_back(self, states: Grid, back_actions: Tensor) -> Grid:
        """The parents; the initial state stays as it is."""
        moves = self._moves(back_actions) * ~(states.is_done | self.is_initial(states))[:, None]
        return Grid(states.coordinate - moves, states.is_done & (back_actions != 0))

    def undo(self, states: Grid, actions: Tensor, next_states: Grid) -> Tensor:
        """The backward action of the same number."""
        return actions

    def redo(self, parents: Grid, back_actions: Tensor, states: Grid) -> Tensor:
        """The forward action of the same number."""
        return back_actions

    def is_terminal(self, states: Grid) -> Tensor:
        """Whether the stop was taken, bool [B]."""
        return states.is_done

    def is_initial(self, states: Grid) -> Tensor:
        """Whether the point is the origin and the stop was not taken, bool [B]."""
        return (states.coordinate == 0).all(dim=1) & ~states.is_done

    def observe(self, states: Grid) -> Tensor:
        """One-hot code of each coordinate in turn, float [B, D * H]."""
        values = torch.arange(self.side, device=states.device)
        return (states.coordinate[:, :, None] == values).flatten(1).to(torch.get_default_dtype())

    def log_n(self, states: Grid) -> Tensor:
        """Log number of ways back to the origin, a multinomial coefficient, float64 [B]."""
        coordinate = states.coordinate.double()
        return torch.lgamma(coordinate.sum(dim=1) + 1.0) - torch.lgamma(coordinate + 1.0).sum(dim=1)

    def decode(self, states: Grid) -> list[str]:
        """Coordinates with commas between, such as "3,0,5"."""
        return [",".join(map(str, point)) for point in states.coordinate.tolist()]

    def encode(self, texts: Sequence[str]) -> Encoded[Grid]:
        """Finished points; a point outside the grid is not found, other texts are invalid."""
        parsed = [self._parse(text) for text in texts]
        points = torch.tensor([point for point, _ in parsed], dtype=torch.int64).reshape(-1, self.dimension)
        found = torch.tensor([int(outcome) for _, outcome in parsed], dtype=torch.int64)
        return Encoded(Grid(points, found == Found.ONE), found)

    def key(self, states: Grid) -> Tensor:
        """Twice the number of the point in base `side`, plus 1 when finished, int64 [B]."""
        power = torch.arange(self.dimension - 1, -1, -1, device=states.device)
        number = (states.coordinate * torch.pow(self.side, power)).sum(dim=1)
        return 2 * number + states.is_done

    def log_symmetry(self, states: Grid) -> Tensor:
        """Zeros, float64 [B]: no two actions lead from one point to the same other."""
        return torch.zeros(len(states), dtype=torch.float64, device=states.device)

    def _moves(self, actions: Tensor) -> Tensor:
        """Unit step along the axis of each action, zero for stop, int64 [B, D]."""
        axes = torch.arange(1, self.n_actions, device=actions.device)
        return (actions[:, None] == axes).long()

    def _parse(self, text: str) -> tuple[list[int], Found]:
        origin = [0] * self.dimension
        if COORDINATES.fullmatch(text) is None:
            return origin, Found.INVALID
        point = [int(part) for part in text.split(",")]
        if len(point) != self.dimension:
            return origin, Found.INVALID
        return (point, Found.ONE) if max(point) < self.side else (origin, Found.NONE)


def corners_reward(
    coordinate: Tensor, side: int, r0: float = 0.1, r1: float = 0.5, r2: float = 2.0
) -> Tensor:
    """Reward with a plateau and a peak near each corner, float [B].

    R = r0 + r1 Π 1[0.25 < |u|] + r2 Π 1[0.3 < |u| < 0.4], u = x / (side - 1) - 0.5. Defaults and formula:
    Bengio et al. 2021, arXiv:2106.04399, section 4.1; r0 of 0.01 or 0.001 makes exploration hard.

    Args:
        coordinate: int64 [B, D], from 0 to side - 1.
        side: values of each coordinate.
        r0: reward everywhere.
        r1: added on the outer plateau.
        r2: added on the peaks.
    """
    # |u| = distance / (2 span), compared in integers: floats put the two ends of an axis on different sides.
    span = side - 1
    distance = (2 * coordinate - span).abs()
    on_plateau = (2 * distance > span).all(dim=1)
    on_peak = ((5 * distance > 3 * span) & (5 * distance < 4 * span)).all(dim=1)
    return r0 + r1 * on_plateau.to(torch.get_default_dtype()) + r2 * on_peak
