"""What learning asks of replay, wherever it is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fluvial.core.environment import Environment, S
from fluvial.core.types import Condition, Trajectories


class Replay(Protocol):
    """Different objects with a known reward; `ReplayBuffer` documents each method."""

    n_offered: int
    """Trajectories with a known reward so far, those of objects that were there already too."""

    def __len__(self) -> int: ...

    def add(self, trajectories: Trajectories[Any], key: Tensor, reward: Tensor) -> None:
        """Store trajectories of objects that are not there yet."""
        ...

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Slots of `n` objects, int64 [n] on the CPU."""
        ...

    def record_loss(self, slots: Tensor, loss: Tensor) -> None:
        """Remember the loss of trajectories of drawn objects."""
        ...

    def objects(self, env: Environment[S], slots: Tensor, device: torch.device | str) -> tuple[S, Tensor]:
        """Terminal states and rewards float64 [n] of the objects at `slots`."""
        ...

    def stored(
        self, env: Environment[S], slots: Tensor, condition: Condition, device: torch.device | str
    ) -> Trajectories[S]:
        """The trajectories at `slots` as they were added, under `condition`."""
        ...

    def rewards(self, slots: Tensor, device: torch.device | str = "cpu") -> Tensor:
        """Rewards of the objects at `slots`, float64 [n]."""
        ...

    def values(self, slots: Tensor, device: torch.device | str = "cpu") -> Tensor:
        """Reward terms of the objects at `slots`, float64 [n, K]."""
        ...

    def recorded(self, at_once: int) -> Iterator[tuple[int, Tensor, Tensor]]:
        """All, some at a time: number of the first, actions int64 [T, n], number of transitions int64 [n]."""
        ...

    def rewrite(self, start: int, reward: NDArray[np.float64], terms: NDArray[np.float64]) -> None:
        """Put other rewards float64 [n] and terms float64 [n, K] into those from number `start` on."""
        ...

    def reload(self) -> None:
        """Draw by what was rewritten from now on."""
        ...

    def state_dict(self) -> Mapping[str, Any]:
        """Everything needed to continue exactly."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`."""
        ...
