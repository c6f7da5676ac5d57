"""The smallest environment with a choice in two parts and several ways to each object: write a menu.

A yardstick for whatever must handle half-made states: a course is chosen by its kind first, then by its item,
and a menu of m courses has m! ways forward and as many backward.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fluvial.core.batch import Batch
from fluvial.core.environment import Encoded, Found
from fluvial.core.errors import ConfigError

MOST_BITS = 62  # of menu and kind together; one more tells finished menus, and the sign is left
COURSE_LIST = re.compile(r"[0-9]{1,18}:[0-9]{1,18}( [0-9]{1,18}:[0-9]{1,18})*", re.ASCII)


@dataclass(frozen=True)
class Menu(Batch):
    """Menus under construction."""

    has_course: Tensor
    """bool [B, n_kinds * n_items], whether the course kind * n_items + item is on the menu."""
    kind: Tensor
    """int64 [B], 1 + the kind of a course whose item is not chosen yet; 0 where there is none."""
    is_done: Tensor
    """bool [B], whether the stop was taken."""


class Courses:
    """Environment whose objects are sets of courses "kind:item", written in order, such as "0:1 1:0".

    Action 0 is stop, legal on a menu of at least one course with no half-made choice; 1 + k chooses kind k,
    where it has an item left; 1 + n_kinds + i chooses item i of that kind. Backward action 0 undoes the stop;
    1 + course takes back the item of a course, which leaves its kind; the last one gives up the kind.

    Args:
        n_kinds: kinds of courses, at least 1.
        n_items: items of each kind, at least 1.
        max_courses: courses of the longest menu, 1 to n_kinds * n_items.

    Raises:
        ConfigError: an argument out of range, or more states than 62 bits can number.
    """

    def __init__(self, n_kinds: int = 2, n_items: int = 2, max_courses: int = 2) -> None:
        if n_kinds < 1 or n_items < 1:
            raise ConfigError(f"n_kinds = {n_kinds}, n_items = {n_items}: both must be at least 1")
        self.n_courses = n_kinds * n_items
        if not 1 <= max_courses <= self.n_courses:
            raise ConfigError(
                f"max_courses = {max_courses}: must be 1 to n_kinds * n_items = {self.n_courses},"
                " since each course is on a menu at most once"
            )
        if self.n_courses + (n_kinds + 1).bit_length() > MOST_BITS:
            raise ConfigError(
                f"{n_kinds} kinds of {n_items} items make more menus than 62 bits can number; choose fewer"
            )
        self.n_kinds, self.n_items, self.max_courses = n_kinds, n_items, max_courses
        self.n_actions = 1 + n_kinds + n_items
        self.n_back_actions = 2 + self.n_courses
        self.max_steps = 2 * max_courses + 1
        self.observation_width = self.n_courses + n_kinds
        self._first_item = 1 + n_kinds
        self._give_up = 1 + self.n_courses

    def initial(self, n: int, device: torch.device | str = "cpu") -> Menu:
        """`n` empty menus."""
        return Menu(
            torch.zeros(n, self.n_courses, dtype=torch.bool, device=device),
            torch.zeros(n, dtype=torch.int64, device=device),
            torch.zeros(n, dtype=torch.bool, device=device),
        )

    def mask(self, states: Menu) -> Tensor:
        """The items left of a kind that was chosen, else stop and the kinds with items left, bool [B, A]."""
        n_courses = states.has_course.sum(dim=1)
        settled = ~states.is_done & (states.kind == 0)
        is_left = ~states.has_course.reshape(len(states), self.n_kinds, self.n_items)
        can_grow = settled & (n_courses < self.max_courses)
        is_own = states.kind[:, None] == torch.arange(1, self.n_kinds + 1, device=states.device)
        return torch.cat(
            [
                (settled & (n_courses > 0))[:, None],
                is_left.any(dim=2) & can_grow[:, None],
                (is_left & is_own[:, :, None]).any(dim=1),
            ],
            dim=1,
        )

    def step(self, states: Menu, actions: Tensor) -> Menu:
        """The next states; a finished row stays as it is."""
        actions = actions.masked_fill(states.is_done, 0)
        is_kind = (actions > 0) & (actions < self._first_item)
        chosen = torch.where(actions >= self._first_item, self._course(states.kind, actions), -1)
        return Menu(
            states.has_course | self._is_course(chosen),
            torch.where(is_kind, actions, 0),
            states.is_done | (actions == 0),
        )

    def back_mask(self, states: Menu) -> Tensor:
        """Undoing the stop, giving up a kind, or taking back the item of any course, bool [B, A']."""
        pending = states.kind > 0
        settled = ~(pending | states.is_done)
        return torch.cat(
            [states.is_done[:, None], states.has_course & settled[:, None], pending[:, None]], dim=1
        )

    def step_back(self, states: Menu, back_actions: Tensor) -> Menu:
        """The parents; the initial state stays as it is."""
        taken = states.has_course & self._is_course(back_actions - 1)
        opened = 1 + (back_actions - 1) // self.n_items
        return Menu(
            states.has_course & ~taken, opened * taken.any(dim=1), states.is_done & (back_actions != 0)
        )

    def undo(self, states: Menu, actions: Tensor, next_states: Menu) -> Tensor:
        """The backward action of the chosen course, or the one that gives up the chosen kind."""
        course = 1 + self._course(states.kind, actions)
        back_actions = torch.where(actions >= self._first_item, course, self._give_up)
        return back_actions.masked_fill(actions == 0, 0)

    def redo(self, parents: Menu, back_actions: Tensor, states: Menu) -> Tensor:
        """The forward action that chooses the same item, or the same kind."""
        item = self._first_item + (back_actions - 1) % self.n_items
        actions = torch.where(back_actions == self._give_up, states.kind, item)
        return actions.masked_fill(back_actions == 0, 0)

    def is_terminal(self, states: Menu) -> Tensor:
        """Whether the stop was taken, bool [B]."""
        return states.is_done

    def is_initial(self, states: Menu) -> Tensor:
        """Whether the menu is empty and no kind was chosen, bool [B]."""
        return ~states.has_course.any(dim=1) & (states.kind == 0)

    def observe(self, states: Menu) -> Tensor:
        """Which courses are on the menu, then one-hot code of the chosen kind, float [B, W]."""
        is_own = states.kind[:, None] == torch.arange(1, self.n_kinds + 1, device=states.device)
        return torch.cat([states.has_course, is_own], dim=1).to(torch.get_default_dtype())

    def decode(self, states: Menu) -> list[str]:
        """The courses with blanks between, by kind and then by item, such as "0:1 1:0"."""
        return [
            " ".join(
                f"{course // self.n_items}:{course % self.n_items}"
                for course in range(len(row))
                if row[course]
            )
            for row in states.has_course.tolist()
        ]

    def encode(self, texts: Sequence[str]) -> Encoded[Menu]:
        """Finished menus; courses may come in any order, but each only once."""
        parsed = [self._parse(text) for text in texts]
        found = torch.tensor([int(outcome) for _, outcome in parsed], dtype=torch.int64)
        states = self.initial(len(texts))
        for row, (courses, _) in enumerate(parsed):
            states.has_course[row, courses] = True
        return Encoded(Menu(states.has_course, states.kind, found == Found.ONE), found)

    def key(self, states: Menu) -> Tensor:
        """The menu as a binary number, with the kind and whether it is finished, int64 [B]."""
        bits = 1 << torch.arange(self.n_courses, device=states.device)
        number = (states.has_course * bits).sum(dim=1)
        return 2 * (number * (self.n_kinds + 1) + states.kind) + states.is_done

    def log_symmetry(self, states: Menu) -> Tensor:
        """Zeros, float64 [B]: each action makes another menu, and its backward action unmakes just that."""
        return torch.zeros(len(states), dtype=torch.float64, device=states.device)

    def _course(self, kind: Tensor, actions: Tensor) -> Tensor:
        """Number of the course that an item action makes of a kind that counts from 1, int64 [B]."""
        return (kind - 1) * self.n_items + actions - self._first_item

    def _is_course(self, course: Tensor) -> Tensor:
        """One-hot code of courses, bool [B, n_courses]; all False for numbers that are no course."""
        return course[:, None] == torch.arange(self.n_courses, device=course.device)

    def _parse(self, text: str) -> tuple[list[int], Found]:
        if COURSE_LIST.fullmatch(text) is None:
            return [], Found.INVALID
        pairs = [(int(kind), int(item)) for kind, item in (part.split(":") for part in text.split(" "))]
        if len(set(pairs)) < len(pairs):
            return [], Found.INVALID
        is_known = all(kind < self.n_kinds and item < self.n_items for kind, item in pairs)
        if not is_known or len(pairs) > self.max_courses:
            return [], Found.NONE
        return [kind * self.n_items + item for kind, item in pairs], Found.ONE
