"""Which actions are legal, forward and backward, and which graphs keep the rules."""

from __future__ import annotations

import torch
from torch import Tensor

from fluvial.core.environment import ActionFamily
from fluvial.envs.graphs.actions import Numbering
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
        unlinked = _unlinked(graphs, rules)[:, numbering.first, numbering.second]
        both_open = is_open[:, numbering.first] & is_open[:, numbering.second]
        legal["edge"] = (unlinked & both_open & can_link[:, None])[:, :, None]
    legal["set_node"] = _settable(graphs.node_attribute, graphs.exists & going[:, None], numbering.node_slot)
    if rules.edge_attributes:
        there = graphs.edge[:, numbering.first, numbering.second] > 0
        attribute = graphs.edge_attribute[:, numbering.first, numbering.second]
        legal["set_edge"] = _settable(attribute, there & going[:, None], numbering.edge_slot)
    return _table(legal, numbering.families)


def backward_mask(graphs: Graph, rules: GraphRules, numbering: Numbering) -> Tensor:
    """Legal backward actions, bool [B, A']: the inverses of the forward actions that can have come last."""
    going = ~graphs.is_done[:, None]
    is_plain = (graphs.edge > 0) & (graphs.edge_attribute == 0).all(dim=3)
    degree = graphs.count_edges(rules.directed)
    removable = graphs.exists & (graphs.node_attribute == 0).all(dim=2)
    if rules.connected:
        plain_degree = is_plain.sum(dim=2) + (is_plain.sum(dim=1) if rules.directed else 0)
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
        legal["remove_edge"] = (is_loose[:, numbering.first, numbering.second] & going)[:, :, None]
    if rules.edge_attributes:
        attribute = graphs.edge_attribute[:, numbering.first, numbering.second]
        legal["unset_edge"] = (attribute > 0) & going[:, :, None]
    return _table(legal, numbering.back_families)


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


def is_bridge(graphs: Graph, directed: bool) -> Tensor:
    """Where an edge is the only path between its ends, in whatever direction, bool [B, N, N].

    An edge of a connected graph is a bridge exactly if the resistance between its ends is 1 when every edge
    has resistance 1; on a cycle of n nodes it is at most 1 - 1 / n. Resistances come from an inverse of the
    Laplacian (Klein & Randic 1993, doi:10.1007/BF01164627).
    """
    there = (graphs.edge > 0).double()
    conductance = there + there.transpose(1, 2) if directed else there
    exists = graphs.exists.double()
    grounded = torch.diag_embed(conductance.sum(dim=2) + 1.0 - exists) - conductance
    inverse: Tensor = torch.linalg.inv_ex(grounded + exists[:, :, None] * exists[:, None, :]).inverse
    own = inverse.diagonal(dim1=1, dim2=2)
    resistance = own[:, :, None] + own[:, None, :] - 2.0 * inverse
    is_only: Tensor = resistance > 1.0 - 0.5 / graphs.node.shape[1]
    return is_only & (there > 0)


def _unlinked(graphs: Graph, rules: GraphRules) -> Tensor:
    """Pairs of different nodes between which the rules let an edge come, bool [B, N, N]."""
    if not rules.allow_cycles:
        return ~_paths(graphs)
    size = graphs.node.shape[1]
    return (graphs.edge == 0) & ~torch.eye(size, dtype=torch.bool, device=graphs.device)


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


def _table(legal: dict[str, Tensor], families: tuple[ActionFamily, ...]) -> Tensor:
    """Masks of all families side by side; those of shape [B, elements, 1] hold for each action of the
    element."""
    parts = [legal[family.name].expand(-1, -1, family.size).flatten(1) for family in families]
    return torch.cat(parts, dim=1)
