"""Trajectories whose reward was asked for and is not known yet, as the numbers of their actions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from fluvial.core.environment import Environment, S
from fluvial.core.types import Condition, Trajectories
from fluvial.replay.stored import trajectories_of


class WaitingRoom:
    """Trajectories in the order in which they came; several may wait for one answer.

    They come back as they were, states and all. A checkpoint holds them, and a journal what came after it.
    """

    def __init__(self, note: Callable[[Mapping[str, Any], bool], None] | None = None) -> None:
        self.note = note
        """Told the state of a room that holds only what is announced or added, and whether it was added; None
        for nobody."""
        self.texts: list[str] = []
        """Canonical text of each object."""
        self._actions = torch.zeros((0, 0), dtype=torch.int32)
        self._log_behaviour = torch.zeros((0, 0))
        self._numbers = torch.zeros((0, 3), dtype=torch.int64)
        self._condition: Condition | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def add(self, trajectories: Trajectories[Any], texts: Sequence[str]) -> None:
        """Let B trajectories made forward wait for the rewards of `texts` [B]."""
        if not texts:
            return
        self.texts += texts
        there, new = self._condition, trajectories.condition.to("cpu")
        self._condition = new if there is None else Condition.cat([there, new])
        self._actions = _beside(self._actions, trajectories.actions.to("cpu", torch.int32))
        self._log_behaviour = _beside(self._log_behaviour, trajectories.log_behaviour.cpu())
        numbers = [trajectories.n_steps, trajectories.origin, trajectories.born]
        self._numbers = torch.cat([self._numbers, torch.stack(numbers, dim=1).cpu()])
        self._tell(trajectories, texts, is_added=True)

    def announce(self, trajectories: Trajectories[Any], texts: Sequence[str]) -> None:
        """Note what is about to be asked for, before anybody is asked."""
        self._tell(trajectories, texts, is_added=False)

    def _tell(self, trajectories: Trajectories[Any], texts: Sequence[str], is_added: bool) -> None:
        if self.note is not None:
            alone = WaitingRoom()
            alone.add(trajectories, texts)
            self.note(alone.state_dict(), is_added)

    def take(
        self, env: Environment[S], rows: Sequence[int], device: torch.device | str
    ) -> tuple[Trajectories[S], list[str]]:
        """The trajectories at `rows`, at least one, and their texts; they wait no longer.

        Raises:
            IllegalActionError: `env` is not where they were made.
        """
        assert self._condition is not None
        texts = [self.texts[row] for row in rows]
        chosen = torch.tensor(rows, dtype=torch.int64)
        n_steps, origin, born = self._numbers[chosen].to(device).unbind(dim=1)
        condition = self._condition[chosen].to(device)
        actions = self._actions[: int(n_steps.max()), chosen].to(device, torch.int64)
        nothing = torch.zeros((len(rows), 0), dtype=torch.float64, device=device)
        found = trajectories_of(env, actions, n_steps, condition, born, nothing)
        log_behaviour = self._log_behaviour[: len(found.actions), chosen].to(device)
        self._keep(sorted(set(range(len(self))).difference(rows)))
        return found.replace(log_behaviour=log_behaviour, origin=origin), texts

    def _keep(self, rows: Sequence[int]) -> None:
        chosen = torch.tensor(rows, dtype=torch.int64)
        self.texts = [self.texts[row] for row in rows]
        self._actions, self._log_behaviour = self._actions[:, chosen], self._log_behaviour[:, chosen]
        self._numbers = self._numbers[chosen]
        self._condition = self._condition[chosen] if self._condition is not None and len(rows) else None

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue, as plain values and tensors."""
        there = self._condition
        fields = () if there is None else dataclasses.fields(there)
        return {
            "texts": list(self.texts),
            "actions": self._actions.clone(),
            "log_behaviour": self._log_behaviour.clone(),
            "numbers": self._numbers.clone(),
            "condition": {field.name: getattr(there, field.name).clone() for field in fields},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.texts = list(state["texts"])
        self._actions, self._log_behaviour = state["actions"], state["log_behaviour"]
        self._numbers = state["numbers"]
        self._condition = Condition(**state["condition"]) if state["condition"] else None

    def join(self, state: Mapping[str, Any]) -> None:
        """Let those of another room wait here, too."""
        other = WaitingRoom()
        other.load_state_dict(state)
        if other._condition is None:
            return
        there = self._condition
        self.texts += other.texts
        self._condition = other._condition if there is None else Condition.cat([there, other._condition])
        self._actions = _beside(self._actions, other._actions)
        self._log_behaviour = _beside(self._log_behaviour, other._log_behaviour)
        self._numbers = torch.cat([self._numbers, other._numbers])


def _beside(left: Tensor, right: Tensor) -> Tensor:
    """[T, n] and [T', m] as [max(T, T'), n + m], 0 at padding."""
    length = max(len(left), len(right))
    parts = [pad(part, (0, 0, 0, length - len(part))) for part in (left, right)]
    return torch.cat([part.to(right.dtype) for part in parts], dim=1)
