"""What a policy says of a batch of states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from fluvial.core.batch import Batch
from fluvial.core.categorical import MaskedCategorical
from fluvial.core.types import Condition


@dataclass(frozen=True)
class PolicyOutput:
    """Distributions and flow at B states."""

    forward: MaskedCategorical
    """Over the A forward actions; undefined (nan) at terminal states."""
    backward: MaskedCategorical
    """Over the A' backward actions; undefined (nan) at initial states."""
    log_flow: Tensor
    """float [B], log F(s)."""


class Policy(Protocol):
    """A function from non-terminal states and what is asked for to distributions."""

    learns_backward: bool
    """Whether P_B is learned; else it is uniform, and no network need be asked for it."""

    def __call__(self, states: Batch, condition: Condition) -> PolicyOutput:
        """Distributions and flow at the states; rows of `condition` belong to rows of `states`."""
        ...
