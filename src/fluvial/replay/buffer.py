"""Objects seen so far, as the numbers of the actions that build them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fluvial.core.environment import Environment, S
from fluvial.core.errors import DataError
from fluvial.core.types import Condition, Trajectories
from fluvial.replay.priority import PRIORITIES, Priority, Stock
from fluvial.replay.stored import trajectories_of
from fluvial.sample.rollout import retrace

__all__ = ["Priority", "ReplayBuffer"]


class ReplayBuffer:
    """`capacity` different objects with a known reward, a few bytes per action each: the last or the best.

    An object has a slot, a number below `capacity`, until it makes room for another.

    Args:
        capacity: number of objects.
        max_steps: transitions of the longest trajectory.
        priority: how objects are drawn.
        n_values: K, reward terms of each object.
        keeps_best: whether those with the largest reward stay when it is full; else the newest do.
    """

    def __init__(
        self, capacity: int, max_steps: int, priority: Priority, n_values: int = 0, keeps_best: bool = False
    ) -> None:
        self.capacity, self.priority, self.n_values = capacity, priority, n_values
        self.keeps_best = keeps_best
        self._actions = torch.zeros((max_steps, capacity), dtype=torch.int32)
        self._n_steps = torch.zeros(capacity, dtype=torch.int64)
        self._reward = torch.zeros(capacity, dtype=torch.float64)
        self._values = torch.zeros((capacity, n_values), dtype=torch.float64)
        self._loss = torch.full((capacity,), torch.nan, dtype=torch.float64)
        self._born = torch.zeros(capacity, dtype=torch.int64)
        self._key = torch.zeros(capacity, dtype=torch.int64)
        self._number = torch.zeros(capacity, dtype=torch.int64)
        self._slot: dict[int, int] = {}
        self._added = 0
        self.n_offered = 0
        """Trajectories with a known reward so far, those of objects that were there already too."""

    def __len__(self) -> int:
        return min(self._added, self.capacity)

    def add(self, trajectories: Trajectories[Any], key: Tensor, reward: Tensor) -> None:
        """Store trajectories of objects that are not there yet; the oldest or the worst ones make room.

        Args:
            trajectories: B trajectories made forward, with `n_values` reward terms.
            key: int64 [B], canonical identity of the final states.
            reward: float [B], >= 0; a row whose reward is nan is not stored.

        Raises:
            ValueError: another number of reward terms.
        """
        n_values = trajectories.values.shape[1]
        if n_values != self.n_values:
            raise ValueError(
                f"the trajectories have {n_values} reward terms and the replay buffer stores {self.n_values};"
                " give as many in `values` as in `n_values`"
            )
        key, reward = key.cpu(), reward.cpu()
        first = {identity: row for row, identity in reversed(list(enumerate(key.tolist())))}
        is_known = (~reward.isnan()).tolist()
        self.n_offered += sum(is_known)
        new = sorted(row for identity, row in first.items() if is_known[row] and identity not in self._slot)
        rows, slots = self._room_for(new, reward)
        for identity in self._key[[slot for slot in slots if slot < len(self)]].tolist():
            del self._slot[identity]
        self._slot.update(zip(key[rows].tolist(), slots, strict=True))
        actions = trajectories.actions.to("cpu", torch.int32)
        self._actions[: len(actions), slots] = actions[:, rows]
        self._n_steps[slots] = trajectories.n_steps.cpu()[rows]
        self._born[slots] = trajectories.born.cpu()[rows]
        self._values[slots] = trajectories.values.to("cpu", torch.float64)[rows]
        self._key[slots], self._reward[slots] = key[rows], reward[rows].double()
        self._loss[slots] = torch.nan
        self._number[slots] = self._added + torch.arange(len(rows))
        self._added += len(rows)

    def _room_for(self, new: list[int], reward: Tensor) -> tuple[list[int], list[int]]:
        """Which of the rows `new` are stored, and their slots."""
        if not self.keeps_best:
            rows = new[-self.capacity :]
            return rows, [(self._added + place) % self.capacity for place in range(len(rows))]
        # All that are there or new, the best first; of equal ones those that are there.
        size = len(self)
        free = list(range(size, min(self.capacity, size + len(new))))
        worth = torch.cat([self._reward[:size], reward[new].double()])
        kept = worth.argsort(descending=True, stable=True)[: self.capacity].tolist()
        leaving = set(range(size)).difference(kept)
        rows = sorted(new[place - size] for place in kept if place >= size)
        return rows, [*free, *sorted(leaving)][: len(rows)]

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Slots of `n` objects by the rule of the priority, with replacement, int64 [n] on the CPU.

        Slots are of use until the next `add`.

        Raises:
            ValueError: the buffer is empty.
        """
        size = len(self)
        if size == 0:
            raise ValueError("nothing can be drawn from an empty replay buffer; add trajectories first")
        by_age = (self._added - 1 - torch.arange(size)) % self.capacity
        if self.keeps_best:
            by_age = self._number[:size].argsort(descending=True)
        stock = Stock(self._reward[:size], self._loss[:size], by_age)
        return PRIORITIES[self.priority.kind](stock, n, self.priority, generator)

    def record_loss(self, slots: Tensor, loss: Tensor) -> None:
        """Remember the loss of trajectories of drawn objects, for the rule `loss`.

        Args:
            slots: int64 [n]; an object that is there several times keeps the mean.
            loss: float [n], finite.

        Raises:
            ValueError: a loss is not finite.
        """
        loss = loss.detach().to("cpu", torch.float64)
        if not bool(loss.isfinite().all()):
            raise ValueError("a loss to remember is nan or infinite; leave such trajectories out")
        different, place, count = torch.unique(slots.cpu(), return_inverse=True, return_counts=True)
        total = torch.zeros(len(different), dtype=torch.float64).index_add_(0, place, loss)
        self._loss[different] = total / count

    def objects(self, env: Environment[S], slots: Tensor, device: torch.device | str) -> tuple[S, Tensor]:
        """Terminal states and rewards float64 [n] of the objects at `slots`."""
        actions, n_steps = self._recorded(slots, device)
        return retrace(env, actions, n_steps), self.rewards(slots, device)

    def stored(
        self, env: Environment[S], slots: Tensor, condition: Condition, device: torch.device | str
    ) -> Trajectories[S]:
        """The trajectories at `slots` as they were added, under `condition` [n, ...] and with log reward nan.

        Raises:
            IllegalActionError: `env` is not where they were made.
        """
        actions, n_steps = self._recorded(slots, device)
        born, values = self._born[slots].to(device), self.values(slots, device)
        return trajectories_of(env, actions, n_steps, condition.to(device), born, values)

    def rewards(self, slots: Tensor, device: torch.device | str = "cpu") -> Tensor:
        """Rewards of the objects at `slots`, float64 [n]."""
        return self._reward[slots].to(device)

    def values(self, slots: Tensor, device: torch.device | str = "cpu") -> Tensor:
        """Reward terms of the objects at `slots`, float64 [n, K]."""
        return self._values[slots].to(device)

    def _recorded(self, slots: Tensor, device: torch.device | str) -> tuple[Tensor, Tensor]:
        """Actions int64 [T, n], arbitrary at padding, and number of transitions int64 [n]."""
        n_steps = self._n_steps[slots]
        actions = self._actions[: int(n_steps.max()), slots].long()
        return actions.to(device), n_steps.to(device)

    def recorded(self, at_once: int = 4096) -> Iterator[tuple[int, Tensor, Tensor]]:
        """All that is there, see `Replay.recorded`; the number is that of the slot."""
        for start in range(0, len(self), at_once):
            yield start, *self._recorded(torch.arange(start, min(start + at_once, len(self))), "cpu")

    def rewrite(self, start: int, reward: NDArray[np.float64], terms: NDArray[np.float64]) -> None:
        """Put other rewards float64 [n] and terms float64 [n, K] into the slots from `start` on."""
        self._reward[start : start + len(reward)] = torch.from_numpy(reward)
        self._values[start : start + len(reward)] = torch.from_numpy(terms)

    def reload(self) -> None:
        """Nothing: there is no copy to be brought up to date."""

    def state_dict(self) -> dict[str, Tensor | int]:
        """Everything needed to continue exactly."""
        n = len(self)
        # Losses of those that have one: nan differs from itself, and equal states are to compare as equal.
        trained = (~self._loss[:n].isnan()).nonzero().squeeze(1)
        return {
            "actions": self._actions[:, :n].clone(),
            "n_steps": self._n_steps[:n].clone(),
            "reward": self._reward[:n].clone(),
            "values": self._values[:n].clone(),
            "born": self._born[:n].clone(),
            "trained": trained,
            "loss": self._loss[trained],
            "key": self._key[:n].clone(),
            "number": self._number[:n].clone(),
            "added": self._added,
            "offered": self.n_offered,
        }

    def load_state_dict(self, state: Mapping[str, Tensor | int]) -> None:
        """Continue from `state_dict`; one of before there were terms, births and losses has none of them.

        Raises:
            DataError: the state has another number of reward terms.
        """
        n = int(torch.as_tensor(state["n_steps"]).shape[0])
        values = torch.as_tensor(state.get("values", torch.zeros((n, 0))))
        if values.shape[1] != self.n_values:
            raise DataError(
                f"the replay buffer was saved with {values.shape[1]} reward terms of each object, and this"
                f" run needs {self.n_values}: the reward or the version is another one. Start a new run"
            )
        self._actions[:, :n], self._values[:n] = state["actions"], values
        self._n_steps[:n], self._reward[:n], self._key[:n] = state["n_steps"], state["reward"], state["key"]
        self._born[:n] = state.get("born", 0)
        self._loss.fill_(torch.nan)
        if "loss" in state:
            self._loss[torch.as_tensor(state["trained"])] = torch.as_tensor(state["loss"])
        self._added = int(state["added"])
        in_turn = self._added - 1 - (self._added - 1 - torch.arange(n)) % self.capacity
        self._number[:n] = torch.as_tensor(state.get("number", in_turn))
        self.n_offered = int(state.get("offered", self._added))
        self._slot = {identity: slot for slot, identity in enumerate(self._key[:n].tolist())}
