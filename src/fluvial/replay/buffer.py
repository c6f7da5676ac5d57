"""Objects seen so far, as the numbers of the actions that build them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fluvial.core.batch import Batch
from fluvial.core.environment import Environment, S
from fluvial.core.types import Trajectories
from fluvial.sample.rollout import retrace


@dataclass(frozen=True)
class Priority:
    """Prioritised replay: a share of each draw is of the best (Shen et al. 2023, arXiv:2305.07170)."""

    top_fraction: float = 0.1
    """Which fraction of the buffer counts as best, 0..1."""
    top_share: float = 0.5
    """Which share of a draw comes from it, 0..1; 0 draws uniformly."""


class ReplayBuffer:
    """The last `capacity` different objects with a known reward, a few bytes per action each.

    Args:
        capacity: number of objects.
        max_steps: transitions of the longest trajectory.
        priority: how objects are drawn.
    """

    def __init__(self, capacity: int, max_steps: int, priority: Priority) -> None:
        self.capacity, self.priority = capacity, priority
        self._actions = torch.zeros((max_steps, capacity), dtype=torch.int32)
        self._n_steps = torch.zeros(capacity, dtype=torch.int64)
        self._reward = torch.zeros(capacity, dtype=torch.float64)
        self._key = torch.zeros(capacity, dtype=torch.int64)
        self._slot: dict[int, int] = {}
        self._added = 0

    def __len__(self) -> int:
        return min(self._added, self.capacity)

    def add(self, trajectories: Trajectories[Batch], key: Tensor, reward: Tensor) -> None:
        """Store trajectories of objects that are not there yet; the oldest ones make room.

        Args:
            trajectories: B trajectories made forward.
            key: int64 [B], canonical identity of the final states.
            reward: float [B]; a row whose reward is nan is not stored.
        """
        key, reward = key.cpu(), reward.cpu()
        first = {identity: row for row, identity in reversed(list(enumerate(key.tolist())))}
        is_known = (~reward.isnan()).tolist()
        new = sorted(row for identity, row in first.items() if is_known[row] and identity not in self._slot)
        rows = new[-self.capacity :]
        slots = [(self._added + place) % self.capacity for place in range(len(rows))]
        for identity in self._key[[slot for slot in slots if slot < len(self)]].tolist():
            del self._slot[identity]
        self._slot.update(zip(key[rows].tolist(), slots, strict=True))
        actions = trajectories.actions.to("cpu", torch.int32)
        self._actions[: len(actions), slots] = actions[:, rows]
        self._n_steps[slots] = trajectories.n_steps.cpu()[rows]
        self._key[slots], self._reward[slots] = key[rows], reward[rows].double()
        self._added += len(rows)

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Slots of `n` objects, with replacement, int64 [n]."""
        n_best = max(1, round(len(self) * self.priority.top_fraction))
        n_from_best = round(n * self.priority.top_share)
        order = self._reward[: len(self)].argsort(descending=True, stable=True)
        device = generator.device
        best = torch.randint(n_best, (n_from_best,), generator=generator, device=device)
        first_other = n_best if n_from_best > 0 and n_best < len(self) else 0
        others = torch.randint(first_other, len(self), (n - n_from_best,), generator=generator, device=device)
        return order[torch.cat([best, others]).cpu()]

    def objects(self, env: Environment[S], slots: Tensor, device: torch.device | str) -> tuple[S, Tensor]:
        """Terminal states and rewards float64 [n] of the objects at `slots`."""
        n_steps = self._n_steps[slots]
        actions = self._actions[: int(n_steps.max()), slots].long()
        return retrace(env, actions.to(device), n_steps.to(device)), self._reward[slots].to(device)

    def state_dict(self) -> dict[str, Tensor | int]:
        """Everything needed to continue exactly."""
        n = len(self)
        return {
            "actions": self._actions[:, :n].clone(),
            "n_steps": self._n_steps[:n].clone(),
            "reward": self._reward[:n].clone(),
            "key": self._key[:n].clone(),
            "added": self._added,
        }

    def load_state_dict(self, state: dict[str, Tensor | int]) -> None:
        """Continue from `state_dict`."""
        n = int(torch.as_tensor(state["n_steps"]).shape[0])
        self._actions[:, :n] = state["actions"]
        self._n_steps[:n], self._reward[:n], self._key[:n] = state["n_steps"], state["reward"], state["key"]
        self._added = int(state["added"])
        self._slot = {identity: slot for slot, identity in enumerate(self._key[:n].tolist())}
