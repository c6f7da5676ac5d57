"""The contract between an environment and everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, Literal, Protocol, TypeVar

import torch
from torch import Tensor

from fluvial.core.batch import Batch

S = TypeVar("S", bound=Batch)


class Found(IntEnum):
    """How the search for a state that decodes to a given object ended."""

    ONE = 0
    """Exactly one state, up to equivalence."""
    SEVERAL = 1
    """More than one inequivalent state makes this object; the first one found is given."""
    NONE = 2
    """The environment cannot make this object."""
    GAVE_UP = 3
    """The search reached its bound before it found a state."""
    INVALID = 4
    """The text is no object at all."""


@dataclass(frozen=True)
class Encoded(Generic[S]):
    """Objects turned into terminal states."""

    states: S
    """[B, ...]; the initial state where nothing was found."""
    found: Tensor
    """int64 [B], values of `Found`."""


@dataclass(frozen=True)
class ActionFamily:
    """Actions that share one head of the policy network.

    The flat numbering of an environment's actions is the concatenation of its families, each flattened
    over [elements, size].
    """

    name: str
    per: Literal["graph", "node", "option", "pair", "arc"]
    """`option`: the options of a node, such as its attachment points, which see their own categories. `pair`:
    two nodes u < v in either order, rows of the upper triangle one after the other. `arc`: two different
    nodes in order, [N, N] with an unused diagonal."""
    size: int
    """Actions for each graph, node, pair or arc."""


class Environment(Protocol[S]):
    """A batched, pure, deterministic construction process; it knows no reward, no network and no device
    policy.

    Action 0 is stop everywhere, and backward action 0 undoes the stop. Actions and backward actions are
    int64 [B]. `fluvial.testing.check_env` checks the whole contract.
    """

    n_actions: int
    n_back_actions: int
    max_steps: int
    """Transitions of the longest trajectory, the stop included."""

    def initial(self, n: int, device: torch.device | str = "cpu") -> S:
        """`n` copies of the one initial state."""
        ...

    def mask(self, states: S) -> Tensor:
        """Legal actions, bool [B, A]; all False exactly for terminal states."""
        ...

    def step(self, states: S, actions: Tensor) -> S:
        """The next states; a terminal row stays as it is whatever its action."""
        ...

    def back_mask(self, states: S) -> Tensor:
        """Legal backward actions, bool [B, A']; all False exactly for the initial state."""
        ...

    def step_back(self, states: S, back_actions: Tensor) -> S:
        """The parents; an initial row stays as it is whatever its backward action."""
        ...

    def undo(self, states: S, actions: Tensor, next_states: S) -> Tensor:
        """Backward actions that lead from `next_states` to `states`."""
        ...

    def redo(self, parents: S, back_actions: Tensor, states: S) -> Tensor:
        """Forward actions that lead from `parents` to (an equivalent of) `states`."""
        ...

    def is_terminal(self, states: S) -> Tensor:
        """Whether the stop was taken, bool [B]."""
        ...

    def is_initial(self, states: S) -> Tensor:
        """Whether nothing was done yet, bool [B]."""
        ...

    def decode(self, states: S) -> list[str]:
        """Canonical text of the object in each state in which stop is legal or was taken."""
        ...

    def encode(self, texts: Sequence[str]) -> Encoded[S]:
        """Terminal states that decode to the given objects."""
        ...

    def key(self, states: S) -> Tensor:
        """Canonical identity, int64 [B]: equal exactly for equivalent states (up to 64-bit hash
        collisions)."""
        ...

    def log_symmetry(self, states: S) -> Tensor:
        """What must be added to log R of terminal states so that p(object) is R / Z, float64 [B]."""
        ...
