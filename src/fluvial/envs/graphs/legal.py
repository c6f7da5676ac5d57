"""Which actions are legal, forward and backward, and which graphs keep the rules."""

from __future__ import annotations

import torch
from torch import Tensor

from fluvial.core.environment import ActionFamily
from fluvial.envs.graphs.actions import Numbering
from fluvial.envs.graphs.bridges import is_bridge
from fluvial.envs.graphs.rules import GraphRules
from fluvial.envs.graphs.state import Graph


def forward_mask(graphs: Graph, rules: GraphRules, numbering: Numbering) -> Tensor:
    """Legal actions, bool [B, A]: those after which the graph can still be finished within the rules.

    A graph that has still to grow, and must stay connected, keeps enough edges for the missing nodes and one
    node that takes an edge more. Both hold in each graph from which edges or nodes were removed, so each
    backward action leads to a graph that can be built.
    """
    degree, n_nodes = graphs.count_edges(rules.directed), graphs.n_nodes
    going = ~graphs.is_done
    can_grow = going & (n_nodes < rules.max_nodes)
    is_large = n_nodes >= rules.min_nodes
    n_edges_left = rules.edge_limit - degree.sum(dim=1) // 2
    if rules.connected:
        n_edges_left = n_edges_left - (rules.min_nodes - n_nodes).clamp_min(0)
    is_open = graphs.exists & (degree < rules.degree_limit)
    starts = can_grow & (n_nodes == 0) if rules.connected else can_grow
    can_attach = can_grow & (n_edges_left >= is_large.long())
    legal = {
        "stop": (going & is_large)[:, None, None],
        "node": starts[:, None, None],
        "attach": (is_open & can_attach[:, None])[:, :, None],
    }
    if "edge" in numbering.start:
        can_link = going & (n_edges_left > 0)
        if rules.connected:
            n_free = ((rules.degree_limit - degree) * graphs.exists).sum(dim=1)
            can_link &= is_large | (n_free > 2)
        both_open = is_open[:, :, None] & is_open[:, None, :]
        linkable = pairs_of(_unlinked(graphs, rules) & both_open, numbering)
        legal["edge"] = (linkable & can_link[:, None])[:, :, None]
    legal["set_node"] = _settable(graphs.node_attribute, graphs.exists & going[:, None], numbering.node_slot)
    if rules.edge_attributes:
        there = pairs_of(graphs.edge, numbering) > 0
        attribute = graphs.edge_attribute[:, numbering.first, numbering.second]
        legal["set_edge"] = _settable(attribute, there & going[:, None], numbering.edge_slot)
    return joined(legal, numbering.families)


def backward_mask(graphs: Graph, rules: GraphRules, numbering: Numbering) -> Tensor:
    """Legal backward actions, bool [B, A']: the inverses of the forward actions that can have come last."""
    going = ~graphs.is_done[:, None]
    is_plain = graphs.edge.bool()
    degree = plain_degree = graphs.count_edges(rules.directed)
    if rules.edge_attributes:
        is_plain &= ~graphs.edge_attribute.bool().any(dim=3)
        plain_degree = is_plain.sum(dim=2) + (is_plain.sum(dim=1) if rules.directed else 0)
    removable = graphs.exists & (graphs.node_attribute == 0).all(dim=2)
    if rules.connected:
        is_leaf = (degree == 1) & (plain_degree == 1)
        removable &= is_leaf | (graphs.n_nodes == 1)[:, None]
    else:
        removable &= degree == 0
    legal = {
        "unstop": graphs.is_done[:, None, None],
        "remove_node": (removable & going)[:, :, None],
        "unset_node": (graphs.node_attribute > 0) & going[:, :, None],
    }
    if "remove_edge" in numbering.start:
        is_loose = is_plain & ~is_bridge(graphs, rules.directed) if rules.connected else is_plain
        legal["remove_edge"] = (pairs_of(is_loose, numbering) & going)[:, :, None]
    if rules.edge_attributes:
        attribute = graphs.edge_attribute[:, numbering.first, numbering.second]
        legal["unset_edge"] = (attribute > 0) & going[:, :, None]
    return joined(legal, numbering.back_families)


def keeps_rules(graphs: Graph, rules: GraphRules) -> Tensor:
    """Whether each graph may be finished, bool [B]; for states that no walk of the environment made."""
    degree, n_nodes = graphs.count_edges(rules.directed), graphs.n_nodes
    n_edges = degree.sum(dim=1) // 2
    paths = _paths(graphs)
    n_parts = (graphs.exists & (paths.long().argmax(dim=2) == _numbers(graphs))).sum(dim=1)
    n_links = graphs.linked.sum(dim=(1, 2)) // 2
    fits = (n_nodes >= rules.min_nodes) & (n_edges <= rules.edge_limit)
    fits &= (degree <= rules.degree_limit).all(dim=1)
    fits &= (graphs.node <= rules.node_types).all(dim=1)
    fits &= (graphs.edge <= rules.edge_types).all(dim=2).all(dim=1)
    for most, attribute in (
        (rules.node_attributes, graphs.node_attribute),
        (rules.edge_attributes, graphs.edge_attribute),
    ):
        values = attribute.flatten(1, -2)
        fits &= (values <= torch.tensor(most, dtype=torch.int64, device=graphs.device)).all(dim=2).all(dim=1)
    if rules.connected:
        fits &= n_parts == 1
    if not rules.allow_cycles:
        fits &= (n_edges == n_nodes - n_parts) & (n_links == n_edges)
    return fits


def _unlinked(graphs: Graph, rules: GraphRules) -> Tensor:
    """Pairs of different nodes between which the rules let an edge come, bool [B, N, N]."""
    if not rules.allow_cycles:
        return ~_paths(graphs)
    size = graphs.node.shape[1]
    return ~(graphs.edge.bool() | torch.eye(size, dtype=torch.bool, device=graphs.device))


def _paths(graphs: Graph) -> Tensor:
    """Whether a path of any length, also none, joins two nodes, bool [B, N, N]."""
    size = graphs.node.shape[1]
    within = (graphs.linked | torch.eye(size, dtype=torch.bool, device=graphs.device)).float()
    for _ in range((size - 1).bit_length()):
        within = (within @ within).clamp_max(1.0)
    return within > 0


def _numbers(graphs: Graph) -> Tensor:
    return torch.arange(graphs.node.shape[1], device=graphs.device)


def _settable(attribute: Tensor, there: Tensor, slot: Tensor) -> Tensor:
    """Which values may be set: those of attributes at their default, bool [B, elements, values]."""
    return (attribute == 0)[:, :, slot] & there[:, :, None]


def pairs_of(table: Tensor, numbering: Numbering) -> Tensor:
    """Entries of a table [B, N, N] at the pairs or arcs that have actions, [B, P]."""
    # Faster than indexing by the same numbers for all rows.
    return table.flatten(1).gather(1, numbering.place.expand(len(table), -1))


def part_of(mask: Tensor, numbering: Numbering, name: str) -> Tensor:
    """The columns of one family of a mask [B, A], as a view [B, elements, size]."""
    size = next(family.size for family in numbering.families + numbering.back_families if family.name == name)
    return mask[:, numbering.start[name] : numbering.end[name]].view(len(mask), -1, size)


def joined(legal: dict[str, Tensor], families: tuple[ActionFamily, ...]) -> Tensor:
    """Masks of all families side by side; those of shape [B, elements, 1] hold for each action of the
    element."""
    parts = [legal[family.name].expand(-1, -1, family.size).flatten(1) for family in families]
    return torch.cat(parts, dim=1)
