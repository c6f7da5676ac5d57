"""What a network sees of a graph: nothing that depends on the numbering of its nodes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from fluvial.core.observation import GraphObservation, GraphSizes
from fluvial.envs.graphs.rules import GraphRules
from fluvial.envs.graphs.state import Graph

_FAR, _MOST_COMMON = 4, 4
"""Distances from here on look the same, as do numbers of common neighbours; both arbitrary."""


def observation_sizes(rules: GraphRules) -> GraphSizes:
    """Numbers of categories of what `observe_graphs` gives."""
    edge = (rules.edge_types + 1, *(count + 1 for count in rules.edge_attributes))
    return GraphSizes(
        node=(rules.node_types + 1, *(count + 1 for count in rules.node_attributes)),
        graph=(rules.max_nodes + 1, _most_edges_seen(rules) + 1),
        pair=(*edge, *(edge if rules.directed else ()), _FAR + 1, _MOST_COMMON + 1),
        candidate=1,
        relation=1,
    )


def observe_graphs(graphs: Graph, rules: GraphRules) -> GraphObservation:
    """Categories of nodes, of the graph, and of pairs of nodes.

    A pair of nodes sees the edge from one to the other (and that back, where edges have a direction), their
    distance and the number of their common neighbours, which tell apart many graphs that neighbours alone do
    not.
    """
    n_rows, n_nodes = graphs.node.shape
    n_edges = graphs.count_edges(rules.directed).sum(dim=1) // 2
    out = torch.cat([graphs.edge[..., None], graphs.edge_attribute], dim=3).long()
    back = [out.transpose(1, 2)] if rules.directed else []
    pair = torch.cat([out, *back, _surroundings(graphs)], dim=3)
    bond = graphs.linked.nonzero()
    nothing = torch.zeros((), dtype=torch.int64, device=graphs.device)
    return GraphObservation(
        node=torch.cat([graphs.node[..., None], graphs.node_attribute], dim=2).long(),
        graph=torch.stack([graphs.n_nodes, n_edges.clamp_max(_most_edges_seen(rules))], dim=1),
        pair=pad(pair, (0, 0, 0, 1, 0, 1)),
        focus=torch.full_like(graphs.n_nodes, n_nodes),
        candidate=nothing.expand(n_rows, n_nodes, 0),
        bond=bond,
        relation=nothing.expand(len(bond), 0),
    )


def _surroundings(graphs: Graph) -> Tensor:
    """Distance and number of common neighbours of two different nodes, int64 [B, N, N, 2]."""
    linked = graphs.linked.float()
    n_common = linked @ linked
    within_two = (n_common + linked).clamp_max(1.0)
    within_three = (within_two @ linked + within_two).clamp_max(1.0)
    distance = _FAR - linked - within_two - within_three
    both = torch.stack([distance, n_common.clamp_max(_MOST_COMMON)], dim=3).long()
    exists = graphs.exists
    different = ~torch.eye(exists.shape[1], dtype=torch.bool, device=graphs.device)
    return both * (exists[:, :, None] & exists[:, None, :] & different)[..., None]


def _most_edges_seen(rules: GraphRules) -> int:
    """Larger numbers of edges look like this one; it only bounds the size of a table."""
    return min(rules.most_edges(rules.max_nodes), 64)
