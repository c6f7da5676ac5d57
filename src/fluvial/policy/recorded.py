"""P_B over the role and the block by which a molecule came, without a search for what else is possible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fluvial.core.categorical import MaskedCategorical
from fluvial.core.observation import SynthesisEnvironment
from fluvial.policy.blocks import BlockChoice

FIRST_ARRIVAL = 3
"""Backward actions below it are forced."""


@dataclass(frozen=True)
class RecordedBackward:
    """P(role | state) P(block | molecule, role) of backward actions 3 + role * (1 + N) + block.

    A block is the likelier the more bits of its fingerprint the molecule has too. What no reaction can have
    made has a probability here as well, which learning takes from it.
    """

    env: SynthesisEnvironment[Any]
    roles: MaskedCategorical
    """Over the roles, U rows."""
    choice: BlockChoice
    """Knows the probability of a block among the partners."""
    weights: Tensor
    """float [R, n_queries * 2], of bits that are shared and of bits that are missing, for each role."""
    molecule: Tensor
    """int64 [U], the molecules by number."""
    place: Tensor
    """int64 [B], which of the U rows each row is."""

    def __len__(self) -> int:
        return len(self.place)

    def log_prob(self, back_actions: Tensor) -> Tensor:
        """Log probability of `back_actions` int64 [B], float [B]."""
        return self.log_prob_at(torch.arange(len(self), device=self.place.device), back_actions)

    def log_prob_at(self, rows: Tensor, back_actions: Tensor) -> Tensor:
        """Log probability of `back_actions` int64 [M] in rows int64 [M], float [M]."""
        free = (back_actions >= FIRST_ARRIVAL).nonzero().squeeze(1)
        number, place = back_actions[free] - FIRST_ARRIVAL, self.place[rows[free]]
        role, block = number // (1 + self.env.n_blocks), number % (1 + self.env.n_blocks)
        log_role = self.roles.log_prob_at(place, role)
        log_block = self._log_block(self.molecule[place], role, block)
        return log_role.new_zeros(len(rows)).index_copy(0, free, log_role + log_block)

    def _log_block(self, molecule: Tensor, role: Tensor, block: Tensor) -> Tensor:
        """Log probability of blocks among the partners of roles, float [M]; 0 where none is needed."""
        both = (block > 0).nonzero().squeeze(1)
        found = self.choice.log_partner(molecule[both], role[both], block[both] - 1, self.weights[role[both]])
        return self.weights.new_zeros(len(block)).index_copy(0, both, found)
