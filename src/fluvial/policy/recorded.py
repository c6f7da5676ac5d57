"""P_B over the role and the block by which a molecule came, without a search for what else is possible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fluvial.core.categorical import MaskedCategorical
from fluvial.core.observation import SynthesisEnvironment
from fluvial.nets.bits import BitEmbedding
from fluvial.policy.blocks import BLOCK_WIDTH, BlockChoice, Partners

FIRST_ARRIVAL = 3
"""Backward actions below it are forced."""


class PartnerQuery(nn.Module):
    """Queries for the block that a molecule was made with, from its features and the role. Zero at first, so
    that what the molecule has of a block counts before what is learned of it.

    Args:
        width: of the features.
        n_roles: R.
        n_queries: vectors of a query.
    """

    def __init__(self, width: int, n_roles: int, n_queries: int) -> None:
        super().__init__()
        self.of_features = nn.Linear(width, n_queries * BLOCK_WIDTH)
        self.of_role = nn.Embedding(n_roles, n_queries * BLOCK_WIDTH)
        for weight in self.parameters():
            nn.init.zeros_(weight)

    def forward(self, features: Tensor, rows: Tensor, roles: Tensor) -> Tensor:
        """Float [M, n_queries * BLOCK_WIDTH], of some rows int64 [M] of features [U, width]."""
        queries: Tensor = self.of_features(features[rows]) + self.of_role(roles)
        return queries


@dataclass(frozen=True)
class RecordedBackward:
    """P(role | state) P(block | molecule, role) of backward actions 3 + role * (1 + N) + block.

    What no reaction can have made has a probability here as well, which learning takes from it.
    """

    env: SynthesisEnvironment[Any]
    roles: MaskedCategorical
    """Over the roles, U rows."""
    choice: BlockChoice
    """Knows the probability of a block among the partners."""
    embedding: BitEmbedding
    """Of the blocks."""
    ask: Callable[[Tensor, Tensor], Tensor]
    """The queries for blocks of some of the U rows int64 [M] in roles int64 [M]."""
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
        log_block = self._log_block(place, role, block)
        return log_role.new_zeros(len(rows)).index_copy(0, free, log_role + log_block)

    def _log_block(self, place: Tensor, role: Tensor, block: Tensor) -> Tensor:
        """Log probability of blocks among the partners of roles, float [M]; 0 where none is needed."""
        both = (block > 0).nonzero().squeeze(1)
        place, role = place[both], role[both]
        partners = Partners(self.molecule[place], role, self.weights[role], self.ask(place, role))
        found = self.choice.log_partner(self.embedding, partners, block[both] - 1)
        return self.weights.new_zeros(len(block)).index_copy(0, both, found)
