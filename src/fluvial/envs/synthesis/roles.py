"""Which part a molecule can play in which reaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fluvial.chem.synthesis.library import BlockLibrary
from fluvial.chem.synthesis.templates import Template
from fluvial.envs.synthesis.limits import Limits, allowed_templates, start_blocks, usable_blocks


@dataclass(frozen=True)
class Role:
    """A template, and the reactant of it that the molecule at hand is."""

    template: int
    position: int
    n_reactants: int


def roles_of(templates: Sequence[Template]) -> tuple[Role, ...]:
    """One role for each reactant of each template, in the order of the templates."""
    return tuple(
        Role(number, position, template.n_reactants)
        for number, template in enumerate(templates)
        for position in range(template.n_reactants)
    )


class Partners:
    """Building blocks that can be the other reactant, from what the library says of each block alone.

    Args:
        library: blocks and reactions.
        roles: in its reactions.
        limits: what of them may be used.
    """

    def __init__(self, library: BlockLibrary, roles: Sequence[Role], limits: Limits) -> None:
        self._library, self._roles = library, roles
        self._allowed, self._usable = allowed_templates(library, limits), usable_blocks(library, limits)
        self._usable_bits = np.packbits(self._usable, bitorder="little")
        self._start = start_blocks(library, limits) & self._usable
        self.of = lru_cache(maxsize=None)(self._of)
        """Role to the numbers of its partners from 1, int64 [M]; none for a one-reactant template."""

    def _of(self, role: int) -> NDArray[np.int64]:
        entry = self._roles[role]
        if entry.n_reactants == 1:
            return np.zeros(0, dtype=np.int64)
        blocks = self._library.blocks_for(entry.template, 1 - entry.position)
        return blocks[self._usable[blocks]] + 1

    def include(self, role: int, block: int) -> bool:
        """Whether a block, by number from 1, is a partner in a two-reactant role."""
        entry, (place, bit) = self._roles[role], divmod(block - 1, 8)
        fits = int(self._library.compatible[1 - entry.position, entry.template, place]) >> bit & 1
        return bool(fits) and bool(self._usable[block - 1])

    def exist(self) -> NDArray[np.bool_]:
        """Whether a molecule in this role finds all that it needs, bool [roles]."""
        return np.array(
            [
                bool(self._allowed[entry.template]) and (entry.n_reactants == 1 or self._any(entry))
                for entry in self._roles
            ],
            dtype=np.bool_,
        )

    def _any(self, entry: Role) -> bool:
        # By bits: lists of the partners in all roles would take gigabytes for a million blocks.
        fitting = self._library.compatible[1 - entry.position, entry.template]
        return bool((fitting & self._usable_bits).any())

    def start_mask(self, may_stop: bool) -> NDArray[np.bool_]:
        """Blocks to start from, bool [N]: those with a role in which they find what they need.

        Args:
            may_stop: whether a block is an object by itself, so that it needs no role.
        """
        if may_stop:
            return self._start
        mask = np.zeros(len(self._library), dtype=np.bool_)
        for number in map(int, np.flatnonzero(self.exist())):
            role = self._roles[number]
            mask[self._library.blocks_for(role.template, role.position)] = True
        return mask & self._start
