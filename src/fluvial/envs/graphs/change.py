"""Reads and changes one place of each graph."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from fluvial.envs.graphs.state import Graph


@dataclasses.dataclass(frozen=True)
class Place:
    """One place in each of B graphs."""

    first: Tensor
    """int64 [B], a node, or the first node of an edge."""
    second: Tensor
    """int64 [B], the second node of the edge."""
    slot: Tensor
    """int64 [B], an attribute of the node or of the edge."""


@dataclasses.dataclass(frozen=True)
class Values:
    """What is at a place, or what to add there, int64 [B] each."""

    edge: Tensor
    """Type of the edge."""
    node_value: Tensor
    """Value of the node's attribute."""
    edge_value: Tensor
    """Value of the edge's attribute."""


def values_at(graphs: Graph, place: Place) -> Values:
    """What is at the place; 0 for attributes where there are none."""
    n_nodes = graphs.node.shape[1]
    pair = place.first * n_nodes + place.second
    return Values(
        _read(graphs.edge, pair, None),
        _read(graphs.node_attribute, place.first, place.slot),
        _read(graphs.edge_attribute, pair, place.slot),
    )


def with_added(graphs: Graph, place: Place, values: Values, directed: bool) -> Graph:
    """The graphs with the values added at the place, and for edges without direction at its mirror image."""
    n_nodes = graphs.node.shape[1]
    pairs = [place.first * n_nodes + place.second]
    if not directed:
        pairs.append(place.second * n_nodes + place.first)
    return dataclasses.replace(
        graphs,
        edge=_added(graphs.edge, pairs, None, values.edge),
        node_attribute=_added(graphs.node_attribute, [place.first], place.slot, values.node_value),
        edge_attribute=_added(graphs.edge_attribute, pairs, place.slot, values.edge_value),
    )


def without_node(graphs: Graph, node: Tensor) -> Graph:
    """The graphs without one node each, the later ones moved up; `node` int64 [B], N for none."""
    place = torch.arange(graphs.node.shape[1], device=graphs.device)
    return graphs.rearranged(place + (place >= node[:, None]))


def _read(table: Tensor, element: Tensor, slot: Tensor | None) -> Tensor:
    """Entry of `table` [B, elements..., slots], or of one without slots, int64 [B]."""
    if not table.shape[-1]:
        return torch.zeros_like(element)
    return table.flatten(1).gather(1, _entry(table, element, slot)[:, None])[:, 0].long()


def _added(table: Tensor, elements: list[Tensor], slot: Tensor | None, amount: Tensor) -> Tensor:
    if not table.shape[-1]:
        return table
    places = torch.stack([_entry(table, element, slot) for element in elements], dim=1)
    amounts = amount.to(table.dtype)[:, None].expand_as(places)
    return table.flatten(1).scatter_add(1, places, amounts).view_as(table)


def _entry(table: Tensor, element: Tensor, slot: Tensor | None) -> Tensor:
    """Position in the flattened table, int64 [B]."""
    if slot is None:
        return element
    # A slot of edges may be more than nodes have, and the other way round; then the amount is 0.
    return element * table.shape[-1] + slot.clamp_max(table.shape[-1] - 1)
