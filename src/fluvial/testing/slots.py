"""The smallest environment with symmetric states: fill interchangeable slots with colours, in any order.

A yardstick for whatever must count equivalent actions rightly: ignoring the symmetry, a policy trained on
reward 1 makes "ab" twice as often as "aa".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_lowercase

import torch
from torch import Tensor

from fluvial.core.batch import Batch
from fluvial.core.environment import Encoded, Found


@dataclass(frozen=True)
class Filled(Batch):
    """Slots and their colours."""

    colour: Tensor
    """int64 [B, n_slots]; 0 where empty, else 1 to n_colours."""
    is_done: Tensor
    """bool [B], whether the stop was taken."""


class Slots:
    """Environment whose objects are multisets of `n_slots` colours, written in order, such as "aab".

    Action 0 is stop, legal when all slots are full; action 1 + slot * n_colours + c paints an empty slot in
    colour c + 1. Backward action 0 undoes the stop, 1 + slot empties a slot.

    Args:
        n_slots: slots, which are interchangeable.
        n_colours: colours, at most 26.
    """

    def __init__(self, n_slots: int = 2, n_colours: int = 2) -> None:
        self.n_slots = n_slots
        self.n_colours = n_colours
        self.n_actions = 1 + n_slots * n_colours
        self.n_back_actions = 1 + n_slots
        self.max_steps = n_slots + 1
        self.observation_width = n_slots * n_colours

    def initial(self, n: int, device: torch.device | str = "cpu") -> Filled:
        """`n` rows of empty slots."""
        return Filled(
            torch.zeros(n, self.n_slots, dtype=torch.int64, device=device),
            torch.zeros(n, dtype=torch.bool, device=device),
        )

    def mask(self, states: Filled) -> Tensor:
        """Any colour in any empty slot, or stop when there is none, bool [B, A]."""
        is_empty = states.colour == 0
        stop = ~is_empty.any(dim=1) & ~states.is_done
        return torch.cat([stop[:, None], is_empty.repeat_interleave(self.n_colours, dim=1)], dim=1)

    def step(self, states: Filled, actions: Tensor) -> Filled:
        """The next states; a finished row stays as it is."""
        slots = torch.arange(self.n_slots, device=actions.device)
        number = (actions - 1)[:, None]
        paints = (number // self.n_colours == slots) & (number >= 0) & ~states.is_done[:, None]
        return Filled(
            torch.where(paints, 1 + number % self.n_colours, states.colour), states.is_done | (actions == 0)
        )

    def back_mask(self, states: Filled) -> Tensor:
        """Undoing the stop where it was taken, else emptying any full slot, bool [B, A']."""
        done = states.is_done[:, None]
        return torch.cat([done, (states.colour > 0) & ~done], dim=1)

    def step_back(self, states: Filled, back_actions: Tensor) -> Filled:
        """The parents."""
        slots = torch.arange(1, self.n_back_actions, device=back_actions.device)
        empties = (back_actions[:, None] == slots) & ~states.is_done[:, None]
        return Filled(states.colour.masked_fill(empties, 0), states.is_done & (back_actions != 0))

    def undo(self, states: Filled, actions: Tensor, next_states: Filled) -> Tensor:
        """The backward action of the painted slot."""
        return torch.where(actions == 0, 0, 1 + (actions - 1) // self.n_colours)

    def redo(self, parents: Filled, back_actions: Tensor, states: Filled) -> Tensor:
        """The forward action that paints the slot as it is in `states`."""
        slot = (back_actions - 1).clamp_min(0)
        colour = states.colour.gather(1, slot[:, None])[:, 0]
        return torch.where(back_actions == 0, 0, slot * self.n_colours + colour)

    def is_terminal(self, states: Filled) -> Tensor:
        """Whether the stop was taken, bool [B]."""
        return states.is_done

    def is_initial(self, states: Filled) -> Tensor:
        """Whether all slots are empty, bool [B]."""
        return (states.colour == 0).all(dim=1)

    def observe(self, states: Filled) -> Tensor:
        """One-hot code of the colour of each slot in turn, float [B, n_slots * n_colours]."""
        colours = torch.arange(1, self.n_colours + 1, device=states.device)
        return (states.colour[:, :, None] == colours).flatten(1).to(torch.get_default_dtype())

    def decode(self, states: Filled) -> list[str]:
        """The colours in alphabetical order."""
        return ["".join(ascii_lowercase[c - 1] for c in sorted(row)) for row in states.colour.tolist()]

    def encode(self, texts: Sequence[str]) -> Encoded[Filled]:
        """Finished states with the colours in alphabetical order."""
        rows = [self._parse(text) for text in texts]
        found = torch.tensor([int(outcome) for _, outcome in rows], dtype=torch.int64)
        colour = torch.tensor([row for row, _ in rows], dtype=torch.int64).reshape(-1, self.n_slots)
        return Encoded(Filled(colour, found == Found.ONE), found)

    def key(self, states: Filled) -> Tensor:
        """A number of the multiset and of whether it is finished, int64 [B]."""
        ordered = states.colour.sort(dim=1).values
        powers = torch.pow(self.n_colours + 1, torch.arange(self.n_slots, device=states.device))
        return 2 * (ordered * powers).sum(dim=1) + states.is_done

    def log_symmetry(self, states: Filled) -> Tensor:
        """Minus log of the number of arrangements n! / Π n_c! of the colours, float64 [B]."""
        colours = torch.arange(1, self.n_colours + 1, device=states.device)
        counts = (states.colour[:, :, None] == colours).sum(dim=1)
        return torch.lgamma(counts.double() + 1.0).sum(dim=1) - math.lgamma(self.n_slots + 1)

    def _parse(self, text: str) -> tuple[list[int], Found]:
        nothing = [0] * self.n_slots
        if not set(text) <= set(ascii_lowercase):
            return nothing, Found.INVALID
        colours = sorted(text)
        if len(colours) != self.n_slots or any(c not in ascii_lowercase[: self.n_colours] for c in colours):
            return nothing, Found.NONE
        return [ascii_lowercase.index(c) + 1 for c in colours], Found.ONE
