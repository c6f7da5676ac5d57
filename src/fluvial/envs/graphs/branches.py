"""Takes the branches off graphs, which leaves small cores, and counts how branches can be exchanged.

In each round all nodes with one neighbour are taken off, unless that neighbour has but one, too. What is
left, the core, has cycles and what joins them; that of a tree is one node or two. The colour of a node tells
what hung there. Equal branches at one node can be exchanged, and branches have no other symmetries of their
own, so automorphisms are those of the coloured core times these exchanges.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from fluvial.core.hashing import GOLDEN, mix
from fluvial.envs.graphs.refine import Links, first_colours, links_of
from fluvial.envs.graphs.state import Graph


@dataclasses.dataclass(frozen=True)
class Leaves:
    """What one round took off: L leaves of B graphs of N nodes, numbered b * N + i."""

    node: Tensor
    """int64 [L]."""
    parent: Tensor
    """int64 [L], where it hung."""
    code: Tensor
    """int64 [L], hash of the leaf, of its branch and of its edge."""
    twin: Tensor
    """int64 [L], number of leaves before it that are equal and hang at the same place."""


@dataclasses.dataclass(frozen=True)
class Pruned:
    """Graphs without their branches."""

    colour: Tensor
    """int64 [B, N], of core nodes; 0 for others."""
    links: Links
    """Edges of the core."""
    log_exchanges: Tensor
    """float64 [B], log of the number of exchanges of equal branches."""
    rounds: tuple[Leaves, ...]
    """What was taken off, outer leaves first."""


def prune(graphs: Graph) -> Pruned:
    """The cores of graphs, in whatever direction their edges point."""
    colour, links = first_colours(graphs).flatten(), links_of(graphs)
    n_rows, n_nodes = graphs.node.shape
    degree = torch.bincount(links.near, minlength=n_rows * n_nodes)
    log_exchanges = torch.zeros(n_rows, dtype=torch.float64, device=graphs.device)
    rounds: list[Leaves] = []
    while True:
        is_leaf = degree == 1
        chosen = is_leaf[links.near] & ~is_leaf[links.far]
        if not bool(chosen.any()):
            return Pruned(colour.view_as(graphs.node), links, log_exchanges, tuple(rounds))
        leaves = _taken(links[chosen], colour)
        rounds.append(leaves)
        log_exchanges.index_add_(0, leaves.node // n_nodes, torch.log1p(leaves.twin.double()))
        hanging = torch.zeros_like(colour).index_add(0, leaves.parent, mix(leaves.code))
        n_lost = torch.bincount(leaves.parent, minlength=len(degree))
        colour = torch.where(n_lost > 0, mix(colour * GOLDEN + hanging), colour)
        colour = colour.index_fill(0, leaves.node, 0)
        degree = degree - n_lost
        links = links[(colour[links.near] != 0) & (colour[links.far] != 0)]


def regrown(colour: Tensor, rounds: tuple[Leaves, ...]) -> Tensor:
    """Different colours of all nodes, int64 [B, N], from different ones of the core."""
    flat = colour.flatten()
    for leaves in reversed(rounds):
        own = mix(mix(flat[leaves.parent] * GOLDEN + leaves.code) * GOLDEN + leaves.twin)
        flat = flat.index_copy(0, leaves.node, own)
    return flat.view_as(colour)


def _taken(links: Links, colour: Tensor) -> Leaves:
    code = mix(colour[links.near] * GOLDEN + links.code)
    place = mix(links.far * GOLDEN + code)
    ordered, order = place.sort(stable=True)
    number = torch.arange(len(order), device=order.device)
    starts = torch.ones_like(ordered, dtype=torch.bool)
    starts[1:] = ordered[1:] != ordered[:-1]
    twin = torch.empty_like(order)
    twin[order] = number - torch.where(starts, number, 0).cummax(dim=0).values
    return Leaves(links.near, links.far, code, twin)
