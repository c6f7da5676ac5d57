"""The state of a molecule under construction."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from fluvial.core.batch import Batch


@dataclasses.dataclass(frozen=True)
class Tree(Batch):
    """Trees of at most N fragments. Each node but the first has exactly one neighbour with a smaller number.

    Integers are int64 because torch indexes with nothing else.
    """

    fragment: Tensor
    """int64 [B, N], fragment number 1..F, 0 where there is no node; nodes come first."""
    point: Tensor
    """int64 [B, N, N], 1 + the attachment point of node i that is bonded to node j; 0 without a bond."""
    anchor: Tensor
    """int64 [B], 1 + node * S + point of the attachment point that was chosen to grow from, 0 for none."""
    is_done: Tensor
    """bool [B], the stop was taken."""

    @property
    def n_nodes(self) -> Tensor:
        """Number of fragments, int64 [B]."""
        return (self.fragment > 0).sum(dim=1)

    @property
    def used(self) -> Tensor:
        """Bit set of the bonded attachment points of each node, int64 [B, N]."""
        return ((1 << self.point) >> 1).sum(dim=2)

    @property
    def degree(self) -> Tensor:
        """Number of bonds of each node, int64 [B, N]."""
        return (self.point > 0).sum(dim=2)
