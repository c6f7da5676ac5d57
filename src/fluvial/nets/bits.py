"""Rows of set bits, such as fingerprints of building blocks, to vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from fluvial.core.observation import BitLists


class BitEmbedding(nn.Module):
    """N rows of bits to vectors of one length, by one vector for each bit: rows never seen have one too.

    Args:
        bits: the rows; they belong to the data and are not among the weights.
        width: D.
    """

    def __init__(self, bits: BitLists, width: int) -> None:
        super().__init__()
        self.register_buffer("bit", bits.bit, persistent=False)
        self.register_buffer("start", bits.start, persistent=False)
        self.table = nn.Parameter(torch.randn(bits.width, width))
        self.norm = nn.LayerNorm(width)
        self._kept: tuple[tuple[int, ...], Tensor] | None = None

    def forward(self) -> Tensor:
        """Float [N, D]; without gradients, as computed before if no weight has changed."""
        if torch.is_grad_enabled():
            return self._embedded()
        versions = tuple(weight._version for weight in self.parameters())
        if self._kept is None or self._kept[0] != versions:
            self._kept = versions, self._embedded()
        return self._kept[1]

    def _embedded(self) -> Tensor:
        total = embedding_bag(self.get_buffer("bit"), self.table, self.get_buffer("start"), mode="sum")
        embedded: Tensor = self.norm(total)
        return embedded
