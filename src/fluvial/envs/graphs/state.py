"""The state of a graph under construction."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from fluvial.core.batch import Batch

MOST_VALUES = 126
"""Most types of nodes or edges, and values of an attribute: one more of a signed byte tells what is out of
range."""


@dataclasses.dataclass(frozen=True)
class Graph(Batch):
    """Graphs of at most N nodes, which are numbered in the order in which they came in.

    Bytes, because states are copied more often than they are looked up; so there are at most `MOST_VALUES`
    types or values of a kind.
    """

    node: Tensor
    """int8 [B, N], type 1..T, 0 where there is no node; nodes come first."""
    edge: Tensor
    """int8 [B, N, N], type 1..E of the edge from node i to node j, 0 without one; symmetric unless edges
    have a direction."""
    node_attribute: Tensor
    """int8 [B, N, Kn], value of each attribute, 0 for the default."""
    edge_attribute: Tensor
    """int8 [B, N, N, Ke], the same for edges, and symmetric like them."""
    is_done: Tensor
    """bool [B], the stop was taken."""

    @property
    def exists(self) -> Tensor:
        """Where there are nodes, bool [B, N]."""
        return self.node.bool()

    @property
    def n_nodes(self) -> Tensor:
        """Number of nodes, int64 [B]."""
        return self.exists.sum(dim=1)

    @property
    def linked(self) -> Tensor:
        """Whether an edge joins two nodes, in whatever direction, bool [B, N, N]."""
        there = self.edge.bool()
        return there | there.transpose(1, 2)

    def count_edges(self, directed: bool) -> Tensor:
        """Number of edges at each node, int64 [B, N]; those of a graph are half of their sum."""
        there = self.edge.bool()
        return there.sum(dim=2) + there.sum(dim=1) if directed else there.sum(dim=2)

    def trimmed(self) -> Graph:
        """The same graphs with N as small as the batch allows, but at least 1."""
        size = max(1, int(self.n_nodes.max())) if len(self) else 1
        return Graph(
            self.node[:, :size],
            self.edge[:, :size, :size],
            self.node_attribute[:, :size],
            self.edge_attribute[:, :size, :size],
            self.is_done,
        )

    def rearranged(self, order: Tensor) -> Graph:
        """The same graphs with old node order[b, i] as new node i; `order` int64 [B, M] with old number N for
        "none"."""
        rows = torch.arange(len(self), device=self.device)[:, None]
        here, there = order[:, :, None], order[:, None, :]
        wide = torch.nn.functional.pad
        return Graph(
            wide(self.node, (0, 1))[rows, order],
            wide(self.edge, (0, 1, 0, 1))[rows[:, :, None], here, there],
            wide(self.node_attribute, (0, 0, 0, 1))[rows, order],
            wide(self.edge_attribute, (0, 0, 0, 1, 0, 1))[rows[:, :, None], here, there],
            self.is_done,
        )
