"""Simple rewards of coloured graphs, for tests and examples: every log R is between -4 and 0.

Each takes B graphs whose node types are their colours and gives R float64 [B]; directions of edges and
further attributes do not count.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fluvial.envs.graphs.state import Graph

DEPTH = 4.0
"""Largest -log R. Arbitrary: e^4 = 55 is a wide range that still lets each graph be sampled."""
PREFERRED_SHARE = 0.75
"""Share of nodes of the second type that `counts` likes best; arbitrary."""


def constant(graphs: Graph) -> Tensor:
    """R = 1."""
    return torch.ones(len(graphs), dtype=torch.float64, device=graphs.device)


def cliques(graphs: Graph) -> Tensor:
    """log R = -4 / 2^t, where t is the number of triangles whose three nodes have the same type."""
    alike = (graphs.linked & (graphs.node[:, :, None] == graphs.node[:, None, :])).double()
    n_triangles = ((alike @ alike) * alike).sum(dim=(1, 2)) / 6.0
    return (-DEPTH * torch.exp2(-n_triangles)).exp()


def even_neighbours(graphs: Graph) -> Tensor:
    """log R = -4 (1 - f), where f is the share of nodes with an even number of neighbours of other types."""
    others = graphs.linked & (graphs.node[:, :, None] != graphs.node[:, None, :])
    is_even = (others.sum(dim=2) % 2 == 0) & graphs.exists
    return (-DEPTH * (1.0 - _share(is_even, graphs))).exp()


def counts(graphs: Graph) -> Tensor:
    """log R = -4 |f - 3/4|, where f is the share of nodes of the second type."""
    return (-DEPTH * (_share(graphs.node == 2, graphs) - PREFERRED_SHARE).abs()).exp()


GRAPH_REWARDS: dict[str, Callable[[Graph], Tensor]] = {
    "constant": constant,
    "cliques": cliques,
    "even_neighbours": even_neighbours,
    "counts": counts,
}
"""Rewards by name."""


def _share(is_meant: Tensor, graphs: Graph) -> Tensor:
    return is_meant.sum(dim=1).double() / graphs.n_nodes.clamp_min(1).double()
