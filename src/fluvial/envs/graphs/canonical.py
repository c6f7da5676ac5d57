"""Identity, symmetry and a canonical numbering of graphs, by colour refinement of pairs of nodes.

Pairs of nodes get colours, which are hashes: first of the edge between them and of both nodes, then of the
old colour together with the multiset, over all nodes w, of the colours of (u, w) and (w, v), until no class
of pairs splits any more (the two-dimensional algorithm of Weisfeiler & Leman 1968). Nothing here depends on
the numbering of the nodes nor on the other graphs of a batch.

How far this is exact, up to accidents of 64-bit hashes: for at most 13 nodes two nodes have the same colour
if and only if an automorphism exchanges them, also after some nodes were marked, because all coherent
configurations of at most 13 points are Schurian (Klin & Ziv-Av 2017, Zbl 1367.05216). Hence automorphisms and
numbering are exact there; beyond, a graph can fail that is regular in the way of strongly regular graphs. The
key never tells isomorphic graphs apart; the smallest graphs known that it takes for one although they differ
are the two strongly regular ones of 16 nodes with 6 neighbours each.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fluvial.core.hashing import GOLDEN, mix
from fluvial.envs.graphs.state import Graph

_SECOND, _MARK, _DONE = 0x5DEECE66D1A4F, 0x2545F4914F6CDD1D, 0x1B03738712FAD5C9
_MOST_PRODUCTS = 1 << 22
"""Products of colours in memory at once (32 MB each of a few tensors): more rows are taken in parts."""


@dataclass(frozen=True)
class Settled:
    """Graphs in which nodes were marked one after another until each had a colour of its own."""

    order: Tensor
    """int64 [B, N], old number of each node in the canonical numbering, which has types in ascending order
    and, at its end, what is no node."""
    log_automorphisms: Tensor
    """float64 [B], log of the number of permutations of the nodes that leave the graph as it is."""


def key(graphs: Graph) -> Tensor:
    """Canonical identity, int64 [B]."""
    small = graphs.trimmed()
    colour = torch.cat([_stable(_pair_colours(part), part.exists) for part in _parts(small)])
    return mix(mix(colour).sum(dim=(1, 2)) + GOLDEN * graphs.n_nodes) ^ (graphs.is_done * _DONE)


def settle(graphs: Graph) -> Settled:
    """Canonical numbering and number of automorphisms.

    The number of automorphisms is the product of the sizes of the orbits of the marked nodes, each under
    the automorphisms that keep the nodes marked before it.
    """
    small = graphs.trimmed()
    done = [_settled_part(part) for part in _parts(small)]
    colour = torch.cat([part for part, _ in done])
    by_colour = colour.argsort(dim=1)
    kind = small.node.masked_fill(~small.exists, torch.iinfo(torch.int64).max).gather(1, by_colour)
    order = by_colour.gather(1, kind.argsort(dim=1, stable=True))
    rest = torch.arange(order.shape[1], graphs.node.shape[1], device=graphs.device).expand(len(graphs), -1)
    return Settled(torch.cat([order, rest], dim=1), torch.cat([count for _, count in done]))


def _settled_part(graphs: Graph) -> tuple[Tensor, Tensor]:
    """Different colours of the nodes, int64 [B, N], and log number of automorphisms, float64 [B]."""
    stable = _stable(_pair_colours(graphs), graphs.exists)
    log_count = torch.zeros(len(graphs), dtype=torch.float64, device=graphs.device)
    rows = torch.arange(len(graphs), device=graphs.device)
    colour, exists = stable, graphs.exists
    while True:
        node = colour.diagonal(dim1=1, dim2=2)
        n_alike = ((node[:, :, None] == node[:, None, :]) & exists[:, None, :]).sum(dim=2) * exists
        is_shared = n_alike > 1
        open_rows = is_shared.any(dim=1).nonzero()[:, 0]
        if not len(open_rows):
            return stable.diagonal(dim1=1, dim2=2), log_count
        rows, colour, exists = rows[open_rows], colour[open_rows], exists[open_rows]
        # The lowest colour is the same choice in each numbering, and its nodes are equivalent.
        highest = torch.iinfo(torch.int64).max
        marked = torch.where(is_shared, node, highest)[open_rows].argmin(dim=1, keepdim=True)
        log_count[rows] += n_alike[open_rows].gather(1, marked)[:, 0].double().log()
        colour = _stable(_with_mark(colour, marked), exists)
        stable = stable.index_copy(0, rows, colour)


def _with_mark(colour: Tensor, marked: Tensor) -> Tensor:
    place = marked * (colour.shape[1] + 1)
    flat = colour.flatten(1)
    return flat.scatter(1, place, mix(flat.gather(1, place) ^ _MARK)).view_as(colour)


def _pair_colours(graphs: Graph) -> Tensor:
    """First colours, int64 [B, N, N], 0 where there are not two nodes."""
    node = _folded([graphs.node, *graphs.node_attribute.unbind(dim=2)])
    edge = _folded([graphs.edge, *graphs.edge_attribute.unbind(dim=3)])
    is_same = torch.eye(node.shape[1], dtype=torch.int64, device=graphs.device)
    colour = _folded([edge, edge.transpose(1, 2), node[:, :, None], node[:, None, :], is_same])
    return colour * _both(graphs.exists)


def _stable(colour: Tensor, exists: Tensor) -> Tensor:
    """The colours when no class splits any more; a row stops by itself, whatever the others do."""
    is_pair, n_classes = _both(exists), _count_classes(colour)
    while True:
        other = mix(colour ^ _SECOND) * is_pair
        # Sums of products of hashes agree for different multisets of pairs only by accident.
        around = (colour[:, :, :, None] * other[:, None, :, :]).sum(dim=2)
        finer = mix(colour * GOLDEN + around) * is_pair
        n_finer = _count_classes(finer)
        has_split = n_finer > n_classes
        if not bool(has_split.any()):
            return colour
        colour = torch.where(has_split[:, None, None], finer, colour)
        n_classes = torch.maximum(n_finer, n_classes)


def _count_classes(colour: Tensor) -> Tensor:
    """Number of different colours in each row, int64 [B]."""
    ordered = colour.flatten(1).sort(dim=1).values
    return (ordered[:, 1:] != ordered[:, :-1]).sum(dim=1)


def _both(exists: Tensor) -> Tensor:
    return exists[:, :, None] & exists[:, None, :]


def _folded(values: list[Tensor]) -> Tensor:
    """One hash of several numbers in order."""
    code = torch.zeros((), dtype=torch.int64, device=values[0].device)
    for value in values:
        code = mix(code * GOLDEN + value)
    return code


def _parts(graphs: Graph) -> list[Graph]:
    """The rows, so many at a time that their products fit in memory."""
    n_rows = max(1, _MOST_PRODUCTS // graphs.node.shape[1] ** 3)
    return [graphs[start : start + n_rows] for start in range(0, max(1, len(graphs)), n_rows)]
