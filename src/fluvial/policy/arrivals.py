"""P_B over the reactions by which a molecule can really have come, where the environment knows them all."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from fluvial.core.batch import Batch
from fluvial.core.categorical import MaskedCategorical
from fluvial.core.observation import Arrivals, SynthesisEnvironment
from fluvial.nets.bits import BitEmbedding
from fluvial.policy.blocks import BLOCK_WIDTH

ARRIVAL_WIDTH = 64
"""Hidden width of what is said of one reaction; arbitrary."""


class ArrivalHead(nn.Module):
    """Logits of reactions from the state's features, the role, the reactant, the block and their prices; 0 at
    first, so that P_B begins uniform.

    The reactant is seen by its fingerprint and the block by its vector, so that both may be new. No number
    of a reaction is seen. Prices serve a reward of cheap ways: they double what is learned of it in the first
    hundred steps.

    Args:
        env: supplies the reactions and fingerprints.
        width: of the features.
    """

    def __init__(self, env: SynthesisEnvironment[Any], width: int) -> None:
        super().__init__()
        self.env: SynthesisEnvironment[Any] = env
        self.of_features = nn.Linear(width, ARRIVAL_WIDTH)
        self.of_role = nn.Embedding(env.n_roles, ARRIVAL_WIDTH)
        self.of_reactant = nn.Linear(env.fingerprint_width, ARRIVAL_WIDTH, bias=False)
        self.of_block = nn.Linear(BLOCK_WIDTH, ARRIVAL_WIDTH, bias=False)
        self.of_price = nn.Linear(2, ARRIVAL_WIDTH, bias=False)
        self.out = nn.Linear(ARRIVAL_WIDTH, 1, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, states: Batch, features: Tensor, embedding: BitEmbedding) -> MaskedCategorical:
        """P_B at U states; undefined at initial ones.

        Args:
            states: U of them.
            features: float [U, width].
            embedding: of the blocks.
        """
        arrivals, mask = self.env.arrivals(states), self.env.back_mask(states)
        logits = self._logits(arrivals, features, embedding)
        table = features.new_zeros(mask.shape).index_put((arrivals.row, arrivals.action), logits)
        return MaskedCategorical(table, mask)

    def _logits(self, arrivals: Arrivals, features: Tensor, embedding: BitEmbedding) -> Tensor:
        """Float [W]."""
        reactants, place = torch.unique(arrivals.molecule, return_inverse=True)
        hidden = self.of_features(features)[arrivals.row] + self.of_role(arrivals.role)
        hidden = hidden + self.of_reactant(self.env.fingerprints(reactants))[place]
        hidden = hidden + self.of_price(arrivals.log_price)
        joined = (arrivals.block > 0).nonzero().squeeze(1)
        blocks, which = torch.unique(arrivals.block[joined], return_inverse=True)
        hidden = hidden.index_add(0, joined, self.of_block(embedding.of(blocks - 1))[which])
        logits: Tensor = self.out(leaky_relu(hidden)).squeeze(1)
        return logits
