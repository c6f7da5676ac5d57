"""Which actions are legal in a state."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fluvial.envs.synthesis.actions import Actions
from fluvial.envs.synthesis.offers import Offers
from fluvial.envs.synthesis.state import Row
from fluvial.envs.synthesis.ways import Ways


class Legal:
    """Masks of single states, in two parts: what is no block, and blocks.

    Args:
        actions: and their numbering.
        ways: which know where a synthesis may end.
        start_mask: blocks to start from, bool [N].
        max_reactions: after which only stop is left.
    """

    def __init__(
        self, actions: Actions, ways: Ways, start_mask: NDArray[np.bool_], max_reactions: int
    ) -> None:
        self._actions, self._ways = actions, ways
        self.max_reactions, self.offers = max_reactions, Offers(actions, start_mask)

    def choices(self, row: Row) -> NDArray[np.bool_]:
        """Legal actions that are no blocks, bool [1 + roles + products]."""
        molecule, depth, role, block, is_done = row
        actions = self._actions
        mask = np.zeros(actions.first_block, dtype=np.bool_)
        if is_done or actions.awaits_block(row):
            return mask
        if role == 0:
            mask[0] = self._ways.can_stop(molecule, depth)
            if depth < self.max_reactions:
                mask[actions.first_role : actions.first_product] = actions.moves.roles(molecule)
        else:
            n_products = len(actions.molecules.products(molecule, role - 1, block))
            mask[actions.first_product : actions.first_product + n_products] = True
            mask[0] = n_products == 0
        return mask

    def blocks(self, row: Row) -> NDArray[np.bool_]:
        """Blocks that may be chosen where one is awaited, bool [N]."""
        return self.offers.mask(self.offers.number(row))
