"""Rows of set bits, such as fingerprints of building blocks, to vectors."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn, segment_reduce
from torch.nn.functional import embedding_bag

from fluvial.core.observation import BitLists

_MOST_INT32 = 2**31


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
        self.register_buffer("place", bits.place, persistent=False)
        self.place: Tensor | None
        self.table = nn.Parameter(torch.randn(bits.width, width))
        self.norm = nn.LayerNorm(width)
        self._kept: tuple[tuple[int, ...], Tensor] | None = None

    def forward(self) -> Tensor:
        """Float [N, D], all rows."""
        return self._kept_or(self._all)

    def _all(self) -> Tensor:
        bit, end, place = self.get_buffer("bit"), self.get_buffer("end"), self.place
        total = embedding_bag(bit.long(), self.table, end, mode="sum", include_last_offset=True)
        return total if place is None else total[place]

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
        bit, end = self._listed(rows)
        total = embedding_bag(bit.long(), self.table, end, mode="sum", include_last_offset=True)
        return self._normalised(total)

    def table_of_products(
        self, queries: Tensor, rows: Tensor, is_there: Tensor, learns: bool = True
    ) -> Tensor:
        """Products of queries with some rows each, as by `products`, float [M, L]; 0 where there is none.

        Args:
            queries: float [M, D].
            rows: int64 [M, L].
            is_there: bool [M, L].
            learns: whether the vectors of the bits have a gradient.
        """
        pair, place = is_there.nonzero(as_tuple=True)
        products = self.products(queries, is_there.sum(dim=1), rows[pair, place], learns)
        return products.new_zeros(rows.shape).index_put((pair, place), products)

    def products(self, queries: Tensor, n_rows: Tensor, rows: Tensor, learns: bool = True) -> Tensor:
        """Products of rows int64 [T] with queries float [M, D], float [T].

        Rows are not normalised here but divided by the root of their number of bits: so a row costs one
        number for each of its bits, not D.

        Args:
            queries: float [M, D].
            n_rows: int64 [M], how many of the rows are for each query; first come those of the first.
            rows: int64 [T].
            learns: whether the vectors of the bits have a gradient.
        """
        bit, end = self._listed(rows)
        weights = queries @ (self.table if learns else self.table.detach()).T
        n_bits, last = end.diff(), n_rows.cumsum(0)
        n_bits_of_query = end[last] - end[last - n_rows]
        start = torch.arange(len(queries), dtype=torch.int32, device=rows.device) * weights.shape[1]
        place = torch.repeat_interleave(start, n_bits_of_query, output_size=len(bit)).add_(bit)
        total = segment_reduce(weights.reshape(-1).index_select(0, place), "sum", offsets=end)
        return total * n_bits.clamp_min(1).to(total).rsqrt()

    def _listed(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """All bits of rows int64 [T], int16 [E], and 0 and where those of each row end, int64 [T + 1]."""
        end, place = self.get_buffer("end"), self.place
        rows = rows if place is None else place[rows]
        first, last = end[rows], end[rows + 1]
        ends = nn.functional.pad((last - first).cumsum(0), (1, 0))
        # One place on from bit to bit, but from row to row a jump: the sum of both is cheaper than repeating.
        before = nn.functional.pad(last[:-1], (1, 0), value=1)[: len(rows)]
        bit = self.get_buffer("bit")
        whole = torch.int32 if len(bit) < _MOST_INT32 else torch.int64
        step = torch.ones(int(ends[-1]) + 1, dtype=whole, device=rows.device)
        step.index_add_(0, ends[:-1], (first - before).to(whole))
        return bit.index_select(0, step.cumsum_(0)[:-1]), ends

    def _normalised(self, total: Tensor) -> Tensor:
        normalised: Tensor = self.norm(total)
        return normalised
