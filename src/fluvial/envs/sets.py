"""Sets: choose some of a list of items, one at a time in any order.

The order leaves no trace, so a set of k items has k! trajectories; there is no symmetry to correct.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fluvial.core.batch import Batch
from fluvial.core.enumeration import labelled_identity
from fluvial.core.environment import Encoded, Found
from fluvial.core.errors import ConfigError

SEPARATOR = ","


@dataclass(frozen=True)
class Chosen(Batch):
    """Sets of items."""

    member: Tensor
    """bool [B, N], whether the item is in the set."""
    is_done: Tensor
    """bool [B], whether the stop was taken."""


class Sets:
    """Environment whose objects are sets of `min_size` to `max_size` items, written in their order: "a,c".

    Action 0 is stop, 1 + i adds item i; backward action 0 undoes the stop, 1 + i takes item i out.

    Args:
        items: names of the N items, all different, without commas and without blanks at their ends; or N, for
            items called "0", "1" and so on.
        max_size: most items of a set, 1 to N; by default N.
        min_size: fewest items, 0 to `max_size`; with 0 the empty set "" is an object.
        exact_size: the only size, in place of both limits.

    Raises:
        ConfigError: an argument out of range, or a name that a text could not be read back from.
    """

    def __init__(
        self,
        items: Sequence[str] | int,
        max_size: int | None = None,
        min_size: int = 1,
        exact_size: int | None = None,
    ) -> None:
        self.items = _names(items)
        self.n_items = len(self.items)
        if exact_size is None:
            self.max_size, self.min_size = self.n_items if max_size is None else max_size, min_size
        elif max_size is None or max_size == exact_size:
            self.max_size = self.min_size = exact_size
        else:
            raise ConfigError(
                f"sets have exact_size = {exact_size} and max_size = {max_size}; give one of the two"
            )
        if not 1 <= self.max_size <= self.n_items:
            raise ConfigError(
                f"the largest set has {self.max_size} items; it must have 1 to {self.n_items}, "
                "as each item is in a set at most once"
            )
        if not 0 <= self.min_size <= self.max_size:
            raise ConfigError(
                f"sets have min_size = {self.min_size}; it must be from 0 to max_size = {self.max_size}"
            )
        self.n_actions = self.n_back_actions = 1 + self.n_items
        self.max_steps = self.max_size + 1
        self.observation_width = self.n_items
        self._number = {name: number for number, name in enumerate(self.items)}

    def initial(self, n: int, device: torch.device | str = "cpu") -> Chosen:
        """`n` empty sets."""
        return Chosen(
            torch.zeros(n, self.n_items, dtype=torch.bool, device=device),
            torch.zeros(n, dtype=torch.bool, device=device),
        )

    def mask(self, states: Chosen) -> Tensor:
        """Stop from `min_size` on, and the items left up to `max_size`, bool [B, A]."""
        size = states.member.sum(dim=1)
        stop = ~states.is_done & (size >= self.min_size)
        grows = ~states.is_done & (size < self.max_size)
        return torch.cat([stop[:, None], ~states.member & grows[:, None]], dim=1)

    def step(self, states: Chosen, actions: Tensor) -> Chosen:
        """The sets with their new items; a finished row stays as it is."""
        return Chosen(
            states.member | (self._is_item(actions) & ~states.is_done[:, None]),
            states.is_done | (actions == 0),
        )

    def back_mask(self, states: Chosen) -> Tensor:
        """Undoing the stop where it was taken, else taking any member out, bool [B, A']."""
        done = states.is_done[:, None]
        return torch.cat([done, states.member & ~done], dim=1)

    def step_back(self, states: Chosen, back_actions: Tensor) -> Chosen:
        """The parents; the initial state stays as it is."""
        taken = self._is_item(back_actions) & ~states.is_done[:, None]
        return Chosen(states.member & ~taken, states.is_done & (back_actions != 0))

    def undo(self, states: Chosen, actions: Tensor, next_states: Chosen) -> Tensor:
        """The backward action of the same number."""
        return actions

    def redo(self, parents: Chosen, back_actions: Tensor, states: Chosen) -> Tensor:
        """The forward action of the same number."""
        return back_actions

    def is_terminal(self, states: Chosen) -> Tensor:
        """Whether the stop was taken, bool [B]."""
        return states.is_done

    def is_initial(self, states: Chosen) -> Tensor:
        """Whether the set is empty and the stop was not taken, bool [B]."""
        return ~states.member.any(dim=1) & ~states.is_done

    def observe(self, states: Chosen) -> Tensor:
        """1 for each member, else 0, float [B, N]."""
        return states.member.to(torch.get_default_dtype())

    def log_n(self, states: Chosen) -> Tensor:
        """Log number of ways back to the empty set, log k! for k items, float64 [B]."""
        return torch.lgamma(states.member.sum(dim=1).double() + 1.0)

    def decode(self, states: Chosen) -> list[str]:
        """Names of the members in the order of the items, with commas between."""
        return [
            SEPARATOR.join(name for name, is_in in zip(self.items, row, strict=True) if is_in)
            for row in states.member.tolist()
        ]

    def encode(self, texts: Sequence[str]) -> Encoded[Chosen]:
        """Finished sets, whose members may come in any order; one of another size is not found.

        A text with an unknown name, or with one name twice, is invalid.
        """
        read = [self._parse(text) for text in texts]
        found = torch.tensor([int(outcome) for _, outcome in read], dtype=torch.int64)
        states = self.initial(len(texts))
        for row, (numbers, _) in enumerate(read):
            states.member[row, numbers] = True
        return Encoded(Chosen(states.member, found == Found.ONE), found)

    def key(self, states: Chosen) -> Tensor:
        """A hash of the members and of whether the set is finished, int64 [B]; equal sets are equal rows."""
        return labelled_identity(states)

    def log_symmetry(self, states: Chosen) -> Tensor:
        """Zeros, float64 [B]: no two actions lead from one set to the same other."""
        return torch.zeros(len(states), dtype=torch.float64, device=states.device)

    def _is_item(self, actions: Tensor) -> Tensor:
        """One-hot code of the item of each action, all False for stop, bool [B, N]."""
        return actions[:, None] == torch.arange(1, self.n_actions, device=actions.device)

    def _parse(self, text: str) -> tuple[list[int], Found]:
        names = [name.strip() for name in text.split(SEPARATOR)] if text.strip() else []
        if len(set(names)) < len(names) or not self._number.keys() >= set(names):
            return [], Found.INVALID
        if not self.min_size <= len(names) <= self.max_size:
            return [], Found.NONE
        return [self._number[name] for name in names], Found.ONE


def _names(items: Sequence[str] | int) -> tuple[str, ...]:
    names = tuple(map(str, range(items))) if isinstance(items, int) else tuple(items)
    if not names:
        raise ConfigError("sets need at least one item to choose from")
    for name in names:
        if not name or name != name.strip() or SEPARATOR in name or not name.isprintable():
            raise ConfigError(
                f"set item {name!r} is empty or has a comma, blanks at its ends or an unprintable character; "
                "give it another name"
            )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ConfigError(f"set item '{twice}' is given more than once; keep one")
    return names
