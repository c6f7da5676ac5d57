"""The numbering of actions, and what one does to one state."""

from __future__ import annotations

import numpy as np

from fluvial.envs.synthesis.molecules import Molecules, Reaction
from fluvial.envs.synthesis.moves import Moves
from fluvial.envs.synthesis.numbering import Numbering
from fluvial.envs.synthesis.state import Arrival, Row

RELEASE, REMOVE, FIRST_ARRIVAL = 1, 2, 3
"""Backward actions: take back the last part of a choice; remove the first block; undo a reaction."""


class Actions:
    """Forward actions: stop, the roles, the products of one reaction, the blocks. Blocks are last, so that
    another library with the same templates numbers the others alike.

    Args:
        molecules: the table of molecules.
        moves: what each may do next.
        numbering: of the ways back.
    """

    def __init__(self, molecules: Molecules, moves: Moves, numbering: Numbering) -> None:
        self.molecules, self.moves, self.numbering = molecules, moves, numbering
        self.first_role = 1
        self.first_product = 1 + len(molecules.roles)
        self.first_block = self.first_product + molecules.most_products
        self.n_actions = self.first_block + molecules.n_blocks
        self.n_back_actions = FIRST_ARRIVAL + numbering.size
        self.takes_block = np.array([role.n_reactants == 2 for role in molecules.roles], dtype=np.bool_)

    def awaits_block(self, row: Row) -> bool:
        """Whether the next action is a block."""
        molecule, _, role, block, is_done = row
        return not is_done and (
            molecule == 0 or (role > 0 and block == 0 and bool(self.takes_block[role - 1]))
        )

    def reaction(self, row: Row, action: int) -> Reaction | None:
        """The reaction that is run to see where an action leads; None where none is."""
        molecule, _, role, block, is_done = row
        if is_done or action == 0 or molecule == 0:
            return None
        if action >= self.first_block:
            return molecule, role - 1, action - self.first_block + 1
        if action >= self.first_product:
            return molecule, role - 1, block
        role = action - self.first_role
        return None if self.takes_block[role] else (molecule, role, 0)

    def forward(self, row: Row, action: int) -> Row:
        """The next state."""
        molecule, depth, role, block, is_done = row
        if is_done:
            return row
        if action == 0:
            return (molecule, depth, role, block, True)
        if action >= self.first_block:
            chosen = action - self.first_block + 1
            return (chosen, 0, 0, 0, False) if molecule == 0 else self._reacted(molecule, depth, role, chosen)
        if action >= self.first_product:
            products = self.molecules.products(molecule, role - 1, block)
            place = action - self.first_product
            return row if place >= len(products) else (products[place], depth + 1, 0, 0, False)
        if self.takes_block[action - self.first_role]:
            return (molecule, depth, action, 0, False)
        return self._reacted(molecule, depth, action, 0)

    def _reacted(self, molecule: int, depth: int, role: int, block: int) -> Row:
        """The only product, or the choice among several or none."""
        products = self.molecules.products(molecule, role - 1, block)
        if len(products) == 1:
            return (products[0], depth + 1, 0, 0, False)
        return (molecule, depth, role, block, False)

    def backward(self, row: Row, back_action: int) -> Row:
        """The parent."""
        molecule, depth, role, block, is_done = row
        if is_done:
            return (molecule, depth, role, block, back_action != 0)
        if back_action == RELEASE:
            return (molecule, depth, role if block else 0, 0, False)
        if back_action == REMOVE:
            return (0, 0, 0, 0, False) if depth == 0 and role == 0 else row
        if back_action < FIRST_ARRIVAL or depth == 0 or role > 0:
            return row
        ways = self.numbering.ways(molecule, depth)
        if back_action - FIRST_ARRIVAL >= len(ways):
            return row
        way = ways[back_action - FIRST_ARRIVAL]
        if way.n_products > 1:
            return (way.molecule, depth - 1, way.role + 1, way.block, False)
        return (way.molecule, depth - 1, way.role + 1 if way.block else 0, 0, False)

    def undo(self, before: Row, action: int, after: Row) -> int:
        """The backward action from `after` to `before`."""
        if action == 0 or before[4]:
            return 0
        if after[2] > 0:
            return RELEASE
        if before[0] == 0:
            return REMOVE
        return FIRST_ARRIVAL + self.numbering.number(after[0], after[1], self.way(before, action))

    def way(self, before: Row, action: int) -> Arrival:
        """The reaction that an action makes happen."""
        molecule, _, role, block, _ = before
        role = role - 1 if role else action - self.first_role
        block = action - self.first_block + 1 if action >= self.first_block else block
        chooses = self.first_product <= action < self.first_block
        n_products = len(self.molecules.products(molecule, role, block))
        return Arrival(molecule, role, block, action - self.first_product if chooses else 0, n_products)

    def redo(self, back_action: int, after: Row) -> int:
        """The forward action that a backward action at `after` takes back."""
        if back_action == 0:
            return 0
        if back_action == RELEASE:
            return self.first_block + after[3] - 1 if after[3] else after[2]
        if back_action == REMOVE:
            return self.first_block + after[0] - 1
        way = self.numbering.ways(after[0], after[1])[back_action - FIRST_ARRIVAL]
        if way.n_products > 1:
            return self.first_product + way.product
        return self.first_block + way.block - 1 if way.block else self.first_role + way.role
