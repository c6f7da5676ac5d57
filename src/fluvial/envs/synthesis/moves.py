"""What a molecule may do next."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fluvial.envs.synthesis.molecules import Molecules, Reaction
from fluvial.envs.synthesis.state import Arrival

REMEMBERED = 200_000
"""Molecules whose moves are remembered; arbitrary."""


class Moves:
    """Legal roles and partners of molecules by number.

    A template that fits is no promise: the product may have an impossible valence, or fall apart. A
    one-reactant template is always tried. Where the rules say so, so is each partner of each role, and every
    offer holds; else some of the partners that are offered give nothing.

    Args:
        molecules: the table of molecules.
    """

    def __init__(self, molecules: Molecules) -> None:
        self._molecules, self.tries_all = molecules, molecules.chemistry.rules.tries_all
        self._everyone = np.arange(1, molecules.n_blocks + 1)
        self.roles = lru_cache(maxsize=REMEMBERED)(self._roles)
        self.partners = lru_cache(maxsize=REMEMBERED)(self._partners)

    def starts(self, may_stop: bool) -> NDArray[np.bool_]:
        """Blocks to start from, bool [N]: those that a reaction is offered to, or all where a block is an
        object by itself."""
        mask = self._molecules.partners.start_mask(may_stop)
        if self.tries_all and not may_stop:
            mask[mask] = [self.roles(int(block) + 1).any() for block in np.flatnonzero(mask)]
        return mask

    def _roles(self, molecule: int) -> NDArray[np.bool_]:
        """The roles that a molecule can be given, bool [roles]."""
        roles = self._molecules.roles_of(molecule)
        if not self.tries_all:
            return roles
        offered = roles.copy()
        offered[roles] = [self._runs(molecule, role) for role in map(int, np.flatnonzero(roles))]
        return offered

    def _runs(self, molecule: int, role: int) -> bool:
        return self._molecules.roles[role].n_reactants == 1 or len(self.partners(molecule, role)) > 0

    def _partners(self, molecule: int, role: int) -> NDArray[np.int64]:
        """Numbers of the blocks that are offered to a molecule in a role, ascending, int64 [M]."""
        offered = self._molecules.partners.of(role)
        if not self.tries_all:
            return offered
        runs = [len(self._molecules.products(molecule, role, int(block))) > 0 for block in offered]
        return offered[np.array(runs, dtype=np.bool_)]

    def reactions_of(self, molecule: int) -> Iterator[Reaction]:
        """Every reaction that is offered to a molecule, in order of role and block."""
        for role in map(int, np.flatnonzero(self.roles(molecule))):
            alone = self._molecules.roles[role].n_reactants == 1
            for block in [0] if alone else map(int, self.partners(molecule, role)):
                yield molecule, role, block

    def all_from(self, molecule: int) -> Iterator[tuple[int, Arrival]]:
        """Every product of one reaction of a molecule, with the way to it; in order of role and block."""
        for _, role, block in self.reactions_of(molecule):
            products = self._molecules.products(molecule, role, block)
            for place, product in enumerate(products):
                yield product, Arrival(molecule, role, block, place, len(products))
