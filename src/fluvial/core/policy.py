"""What a policy says of a batch of states."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from fluvial.core.batch import Batch
from fluvial.core.categorical import Distribution
from fluvial.core.types import Condition, Trajectories


@dataclass(frozen=True)
class PolicyOutput:
    """Distributions and flow at B states."""

    forward: Distribution
    """Over the A forward actions; undefined (nan) at terminal states."""
    make_backward: Callable[[], Distribution]
    """Makes `backward`, which drawing forward does not read."""
    log_flow: Tensor
    """float [B], log F(s)."""
    log_n: Tensor | None = None
    """float [B], predicted log number of ways back to the initial state; None where they are not counted."""

    @cached_property
    def backward(self) -> Distribution:
        """Over the A' backward actions; undefined (nan) at initial states."""
        return self.make_backward()


class Policy(Protocol):
    """A function from non-terminal states and what is asked for to distributions."""

    learns_backward: bool
    """Whether P_B is learned; else it is uniform, and no network need be asked for it."""

    def __call__(self, states: Batch, condition: Condition) -> PolicyOutput:
        """Distributions and flow at the states; rows of `condition` belong to rows of `states`."""
        ...


@runtime_checkable
class AlongPolicy(Policy, Protocol):
    """A policy that sees a whole trajectory at once, such as a causal network over the symbols of a word."""

    def along(self, trajectories: Trajectories[Any], live: Tensor) -> PolicyOutput:
        """Distributions and flow at the places t * B + b in `live` int64 [L], in their order."""
        ...
