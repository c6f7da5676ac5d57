"""Rows of set bits, such as fingerprints of building blocks, to vectors."""

from __future__ import annotations

from collections.abc import Callable

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
        self.register_buffer("end", bits.end, persistent=False)
        self.table = nn.Parameter(torch.randn(bits.width, width))
        self.norm = nn.LayerNorm(width)
        self._kept: tuple[tuple[int, ...], Tensor] | None = None

    def forward(self) -> Tensor:
        """Float [N, D], all rows."""
        bit, end = self.get_buffer("bit"), self.get_buffer("end")
        return self._kept_or(
            lambda: embedding_bag(bit.long(), self.table, end, mode="sum", include_last_offset=True)
        )

    def of_shares(self, shares: Tensor) -> Tensor:
        """Float [M, D], of rows of shares of bits, such as means of many rows, float [M, bits]."""
        return self._kept_or(lambda: shares @ self.table)

    def _kept_or(self, make: Callable[[], Tensor]) -> Tensor:
        """What is made, normalised; without gradients, as computed before if no weight has changed.

        A module makes one thing only, always the same.
        """
        if torch.is_grad_enabled():
            return self._normalised(make())
        versions = tuple(weight._version for weight in self.parameters())
        if self._kept is None or self._kept[0] != versions:
            self._kept = versions, self._normalised(make())
        return self._kept[1]

    def of(self, rows: Tensor) -> Tensor:
        """Float [M, D], of some rows int64 [M]."""
        owner, bit, _ = self._listed(rows)
        total = self.table.new_zeros(len(rows), self.table.shape[1])
        return self._normalised(total.index_add(0, owner, self.table[bit]))

    def products(self, queries: Tensor, query: Tensor, rows: Tensor) -> Tensor:
        """Products of rows int64 [T] with queries float [M, D], each with the one at `query` int64 [T], [T].

        Rows are not normalised here but divided by the root of their number of bits: so a row costs one
        number for each of its bits, not D.
        """
        owner, bit, n_bits = self._listed(rows)
        weights = queries @ self.table.T
        values = weights.reshape(-1)[query[owner] * weights.shape[1] + bit]
        total = values.new_zeros(len(rows)).index_add(0, owner, values)
        return total * n_bits.clamp_min(1).to(total).rsqrt()

    def _listed(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of all bits of rows int64 [T]: the place of the row, and the bit, int64 [E]; bits of each row."""
        end = self.get_buffer("end")
        first, n_bits = end[rows], end[rows + 1] - end[rows]
        owner = torch.repeat_interleave(torch.arange(len(rows), device=rows.device), n_bits)
        offset = first - n_bits.cumsum(0) + n_bits
        place = torch.arange(len(owner), device=rows.device) + offset[owner]
        return owner, self.get_buffer("bit")[place].long(), n_bits

    def _normalised(self, total: Tensor) -> Tensor:
        normalised: Tensor = self.norm(total)
        return normalised
