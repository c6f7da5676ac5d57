"""Sets of blocks that are offered together, by number."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fluvial.envs.synthesis.actions import Actions
from fluvial.envs.synthesis.state import Row

START = 0
"""Number of the set to start from; 1 + role is that of the partners in a role."""
MASKS_AT_ONCE = 1024
"""Sets whose masks are remembered, a byte a block each; arbitrary."""


class Offers:
    """Where a block is chosen, many states offer the same ones: those to start from, or all partners in a
    role. So a set has a number. Where all reactions are tried, a molecule in a role has a set of its own.

    Args:
        actions: and their numbering.
        start_mask: blocks to start from, bool [N].
    """

    def __init__(self, actions: Actions, start_mask: NDArray[np.bool_]) -> None:
        self._actions, self._start_mask = actions, start_mask
        self._own: dict[tuple[int, int], int] = {}
        self._owners: list[tuple[int, int]] = []
        self.mask = lru_cache(maxsize=MASKS_AT_ONCE)(self._mask)

    def number(self, row: Row) -> int:
        """The set that is offered in a state which awaits a block."""
        molecule, _, role, _, _ = row
        if molecule == 0:
            return START
        if not self._actions.moves.tries_all:
            return role
        known = self._own.get((molecule, role))
        if known is None:
            known = self._own[molecule, role] = 1 + len(self._actions.molecules.roles) + len(self._owners)
            self._owners.append((molecule, role))
        return known

    def blocks(self, number: int) -> NDArray[np.int64]:
        """The blocks of a set from 0, ascending, int64 [M]."""
        n_shared = 1 + len(self._actions.molecules.roles)
        if number == START:
            return np.flatnonzero(self._start_mask)
        if number < n_shared:
            return self._actions.molecules.partners.of(number - 1) - 1
        molecule, role = self._owners[number - n_shared]
        return self._actions.moves.partners(molecule, role - 1) - 1

    def _mask(self, number: int) -> NDArray[np.bool_]:
        """The same as a mask, bool [N]."""
        mask = np.zeros(len(self._start_mask), dtype=np.bool_)
        mask[self.blocks(number)] = True
        return mask
