"""The records that cross every room's door.

Axes: B rows or trajectories, T transitions including the stop, A forward actions, A' backward actions,
K reward terms, C width of the condition's encoding.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from enum import IntEnum
from typing import Generic, Self, TypeVar

import torch
from torch import Tensor

from fluvial.core.batch import Batch

S = TypeVar("S", bound=Batch)


NOTHING = torch.zeros(0)
"""Stands for a part of a condition that is left out and becomes float [B, 0]."""


@dataclasses.dataclass(frozen=True)
class Condition(Batch):
    """What each trajectory was asked to aim for."""

    encoding: Tensor
    """float [B, C], what the networks see."""
    beta: Tensor
    """float [B], inverse temperature: the target is R^beta."""
    weights: Tensor = NOTHING
    """float [B, K], preference over the reward terms; K = 0 where there is one fixed reward."""
    focus: Tensor = NOTHING
    """float [B, K], direction of a focus region; K = 0 where there is none."""
    target: Tensor = NOTHING
    """float [B, P], values that properties are to have; P = 0 where none is asked for."""
    log_z: Tensor = NOTHING
    """float [B, 1], a log partition function to learn for; [B, 0] where it is learned."""

    def __post_init__(self) -> None:
        for name in ("weights", "focus", "target", "log_z"):
            if getattr(self, name) is NOTHING:
                object.__setattr__(self, name, self.encoding.new_zeros((len(self.beta), 0)))


class Origin(IntEnum):
    """Where a trajectory came from."""

    POLICY = 0
    REPLAY = 1
    DATA = 2
    LOCAL_SEARCH = 3


@dataclasses.dataclass(frozen=True)
class Trajectories(Generic[S]):
    """B trajectories of at most T transitions, time first, padded at the end.

    `states[t]` is the state before `actions[t]`; a finished row stays at its terminal state.
    """

    actions: Tensor
    """int64 [T, B]; 0 (stop) at padding."""
    back_actions: Tensor
    """int64 [T, B], the backward action at `states[t + 1]` that leads to `states[t]`; 0 at padding."""
    mask: Tensor
    """bool [T, B], True for real transitions."""
    states: S
    """[T + 1, B, ...]."""
    condition: Condition
    """[B, ...]."""
    log_reward: Tensor
    """float [B], log of the (tempered) target without symmetry correction; nan while it is not known."""
    log_symmetry: Tensor
    """float [B], what is added to the log reward so that equivalent actions are not counted twice."""
    log_behaviour: Tensor
    """float [T, B], log probability under the policy that acted; 0 at padding; nan where unknown."""
    origin: Tensor
    """int64 [B], values of `Origin`."""
    born: Tensor
    """int64 [B], training step at which the object was first made."""
    values: Tensor
    """float64 [B, K], the reward terms by themselves, where an objective or a preference weighs them; K = 0
    where there is one fixed reward."""

    @property
    def n_steps(self) -> Tensor:
        """Number of transitions of each trajectory, int64 [B]."""
        return self.mask.sum(dim=0)

    @property
    def final_states(self) -> S:
        """The terminal states, [B, ...]."""
        return self.states[-1]  # type: ignore[index]

    def replace(self, **changes: Tensor | Condition) -> Self:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]

    def select(self, rows: Tensor) -> Self:
        """The trajectories at `rows` int64 [M]."""
        return type(self)(
            self.actions[:, rows],
            self.back_actions[:, rows],
            self.mask[:, rows],
            type(self.states)(*(tensor[:, rows] for tensor in self.states.tensors())),
            self.condition[rows],
            self.log_reward[rows],
            self.log_symmetry[rows],
            self.log_behaviour[:, rows],
            self.origin[rows],
            self.born[rows],
            self.values[rows],
        )

    @classmethod
    def cat(cls, parts: Sequence[Trajectories[S]]) -> Trajectories[S]:
        """Put trajectories side by side, the shorter ones padded at the end."""
        length = max(part.actions.shape[0] for part in parts)

        def time(tensors: list[Tensor]) -> Tensor:
            return torch.cat([_pad_zero(tensor, length) for tensor in tensors], dim=1)

        states = type(parts[0].states)(
            *(
                torch.cat([_pad_last(tensor, length + 1) for tensor in columns], dim=1)
                for columns in zip(*(part.states.tensors() for part in parts), strict=True)
            )
        )
        return cls(
            time([part.actions for part in parts]),
            time([part.back_actions for part in parts]),
            time([part.mask for part in parts]),
            states,
            Condition.cat([part.condition for part in parts]),
            torch.cat([part.log_reward for part in parts]),
            torch.cat([part.log_symmetry for part in parts]),
            time([part.log_behaviour for part in parts]),
            torch.cat([part.origin for part in parts]),
            torch.cat([part.born for part in parts]),
            torch.cat([part.values for part in parts]),
        )


@dataclasses.dataclass(frozen=True)
class Scores:
    """Log probabilities and flows of trajectories under the current policy: what objectives eat."""

    log_pf: Tensor
    """float [T, B], 0 at padding."""
    log_pb: Tensor
    """float [T, B], at `states[t + 1]`, 0 at padding and for undoing the stop."""
    log_flow: Tensor
    """float [T + 1, B], log F(states[t]); 0 at terminal states and padding, where the flow is the reward."""
    mask: Tensor
    """bool [T, B]."""


def _pad_zero(tensor: Tensor, length: int) -> Tensor:
    missing = length - tensor.shape[0]
    return torch.cat([tensor, tensor.new_zeros((missing, *tensor.shape[1:]))]) if missing else tensor


def _pad_last(tensor: Tensor, length: int) -> Tensor:
    missing = length - tensor.shape[0]
    return torch.cat([tensor, tensor[-1:].expand(missing, *tensor.shape[1:])]) if missing else tensor
