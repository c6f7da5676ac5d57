"""What every learning rule takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from fluvial.core.types import Trajectories
from fluvial.policy.model import Model


@dataclass(frozen=True)
class Experience:
    """B trajectories whose rewards are known."""

    trajectories: Trajectories[Any]
    group: Tensor
    """int64 [B], equal for trajectories of equal condition."""
    log_partial: Tensor | None = None
    """float [T + 1, B], the target of the object that each unfinished state is; nan where it is none, or not
    known. None unless the algorithm asks for it."""
    step: int = 0
    """Training steps done before."""

    @property
    def target(self) -> Tensor:
        """log R with the symmetry correction, float [B]."""
        return self.trajectories.log_reward + self.trajectories.log_symmetry


@dataclass(frozen=True)
class Models:
    """The weights that learn, and an older copy of them."""

    current: Model
    old: Model
    """The target network; the same object as `current` where the algorithm asks for none."""


@dataclass(frozen=True)
class Learned:
    """What a learning rule says of B trajectories."""

    loss: Tensor
    """float [B], with gradients."""
    log_pf: Tensor | None
    """float [T, B], with gradients; None where the rule looks at some transitions only."""
    parts: Mapping[str, Tensor]
    """Name to float [B]: what the loss was made of, to say which part is not finite."""
    log_z: Tensor | None = None
    """float, any number of rows, what the rule takes for log Z, to be logged; None where it has none."""
    own_loss: Tensor | None = None
    """float [B], the loss without that of P_B, to be remembered as a priority; nan where a trajectory was not
    looked at. None: it is `loss`."""
    metrics: Mapping[str, Tensor] = field(default_factory=dict)
    """Name to a scalar worth logging."""


class Algorithm(Protocol):
    """A learning rule."""

    @property
    def needs_partial(self) -> bool:
        """Whether `Experience.log_partial` must be there: a reward for each intermediate object."""
        ...

    @property
    def old_decay(self) -> float | None:
        """Memory of the older copy of the weights per step, 0 to below 1; None where none is used."""
        ...

    def __call__(self, models: Models, experience: Experience, generator: torch.Generator) -> Learned:
        """The losses of the trajectories."""
        ...
