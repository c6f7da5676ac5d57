"""Rules of drawing from millions of trajectories, which keep up with what is added instead of sorting it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fluvial.replay.priority import Priority, in_two_parts
from fluvial.replay.sum_tree import Rows, SumTree


class Draws(Protocol):
    """A rule with what it keeps."""

    def changed(self, slots: Rows) -> None:
        """Take note that other trajectories stand at `slots` now."""
        ...

    def draw(self, n: int, added: int, generator: torch.Generator) -> Tensor:
        """Slots of `n` trajectories, with replacement, int64 [n] on the CPU.

        Args:
            n: how many.
            added: trajectories that ever came, at least one; the last ones are there.
            generator: on any device.
        """
        ...


class Evenly:
    """Each trajectory alike."""

    def __init__(self, reward: NDArray[np.float64], priority: Priority) -> None:
        self._capacity = len(reward)

    def changed(self, slots: Rows) -> None:
        """See `Draws.changed`."""

    def draw(self, n: int, added: int, generator: torch.Generator) -> Tensor:
        """See `Draws.draw`."""
        size = min(added, self._capacity)
        return torch.randint(size, (n,), generator=generator, device=generator.device).cpu()


class Newest:
    """A share of those that came last, the rest of the others."""

    def __init__(self, reward: NDArray[np.float64], priority: Priority) -> None:
        self._capacity, self._priority = len(reward), priority

    def changed(self, slots: Rows) -> None:
        """See `Draws.changed`."""

    def draw(self, n: int, added: int, generator: torch.Generator) -> Tensor:
        """See `Draws.draw`."""
        age = in_two_parts(min(added, self._capacity), n, self._priority, generator)
        return (added - 1 - age) % self._capacity


class ByReward:
    """In proportion to the reward."""

    def __init__(self, reward: NDArray[np.float64], priority: Priority) -> None:
        self._capacity, self._tree = len(reward), SumTree(reward)

    def changed(self, slots: Rows) -> None:
        """See `Draws.changed`."""
        self._tree.update(slots)

    def draw(self, n: int, added: int, generator: torch.Generator) -> Tensor:
        """See `Draws.draw`."""
        level = torch.rand(n, generator=generator, dtype=torch.float64, device=generator.device).cpu()
        if self._tree.total == 0.0:
            return (level * min(added, self._capacity)).long()
        return torch.from_numpy(self._tree.draw(level.numpy()))


DRAWS: dict[str, Callable[[NDArray[np.float64], Priority], Draws]] = {
    "uniform": Evenly,
    "reward": ByReward,
    "newest": Newest,
}
"""Rules by the names of `PRIORITIES`; from the rewards, float64 [capacity], 0 where nothing came yet."""
