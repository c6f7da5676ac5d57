"""Identity, symmetry and a canonical numbering of graphs.

Branches are taken off first (`branches`). The nodes of the cores get colours from their neighbours' colours
until no class of nodes splits any more; where that leaves nodes of equal colour, pairs of nodes get colours
in the same way (`refine`).

How far this is exact, up to accidents of 64-bit hashes: in a core of at most 13 nodes two nodes have the same
colour if and only if an automorphism exchanges them, also after some nodes were marked, because all coherent
configurations of at most 13 points are Schurian (Klin & Ziv-Av 2017, Zbl 1367.05216). Hence automorphisms and
numbering are exact there, and in each graph whose nodes all get colours of their own; beyond, a graph can
fail that is regular in the way of strongly regular graphs. The key never tells isomorphic graphs apart; the
smallest graphs known that it takes for one although they differ are the two strongly regular ones of 16 nodes
with 6 neighbours each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from fluvial.core.hashing import GOLDEN, mix
from fluvial.envs.graphs.branches import Pruned, prune, regrown
from fluvial.envs.graphs.refine import count_classes, pair_colours, refined_nodes, refined_pairs
from fluvial.envs.graphs.state import Graph

_MARK, _DONE = 0x2545F4914F6CDD1D, 0x1B03738712FAD5C9
_MOST_PAIRS = 1 << 21
"""Pairs of nodes in memory at once (16 MB for each of a few tensors): more rows are taken in parts."""
_HIGHEST = torch.iinfo(torch.int64).max


@dataclass(frozen=True)
class Settled:
    """Graphs in which nodes were marked one after another until each had a colour of its own."""

    order: Tensor
    """int64 [B, N], old number of each node in the canonical numbering, which has types in ascending order
    and, at its end, what is no node."""
    log_automorphisms: Tensor
    """float64 [B], log of the number of permutations of the nodes that leave the graph as it is."""


@dataclass(frozen=True)
class _Cores:
    """Cores of some rows of a batch, their nodes moved to the front."""

    row: Tensor
    """int64 [R]."""
    place: Tensor
    """int64 [R, M], number b * N + i of each node, in the batch; that of the row's first node for none."""
    exists: Tensor
    """bool [R, M]."""
    colour: Tensor
    """int64 [R, M, M], first colours of pairs."""


def key(graphs: Graph) -> Tensor:
    """Canonical identity, int64 [B]."""
    pruned = prune(graphs.trimmed())
    colour, finer = refined_nodes(pruned.colour, pruned.links)
    code = mix(finer).sum(dim=1)
    for cores in _unsettled(pruned, colour):
        _, finer = refined_pairs(cores.colour)
        code = code.index_copy(0, cores.row, mix(finer).sum(dim=(1, 2)))
    return mix(code + GOLDEN * graphs.n_nodes) ^ (graphs.is_done * _DONE)


def log_automorphisms(graphs: Graph) -> Tensor:
    """Log of the number of permutations of the nodes that leave each graph as it is, float64 [B]."""
    return _settled(prune(graphs.trimmed()))[1]


def settle(graphs: Graph) -> Settled:
    """Canonical numbering and number of automorphisms."""
    small = graphs.trimmed()
    pruned = prune(small)
    colour, log_count = _settled(pruned)
    by_colour = regrown(colour, pruned.rounds).argsort(dim=1)
    kind = small.node.long().masked_fill(~small.exists, _HIGHEST).gather(1, by_colour)
    order = by_colour.gather(1, kind.argsort(dim=1, stable=True))
    rest = torch.arange(order.shape[1], graphs.node.shape[1], device=graphs.device).expand(len(graphs), -1)
    return Settled(torch.cat([order, rest], dim=1), log_count)


def _settled(pruned: Pruned) -> tuple[Tensor, Tensor]:
    """Different colours of core nodes, int64 [B, N], and log number of automorphisms, float64 [B].

    The number of automorphisms of a core is the product of the sizes of the orbits of the marked nodes, each
    under the automorphisms that keep the nodes marked before it.
    """
    colour, _ = refined_nodes(pruned.colour, pruned.links)
    log_count, flat = pruned.log_exchanges, colour.flatten()
    for cores in _unsettled(pruned, colour):
        own, count = _marked(cores)
        flat = flat.index_copy(0, cores.place[cores.exists], own[cores.exists])
        log_count = log_count.index_add(0, cores.row, count)
    return flat.view_as(colour), log_count


def _marked(cores: _Cores) -> tuple[Tensor, Tensor]:
    """Different colours of the nodes, int64 [R, M], and log number of automorphisms, float64 [R]."""
    stable, _ = refined_pairs(cores.colour)
    log_count = torch.zeros(len(stable), dtype=torch.float64, device=stable.device)
    rows = torch.arange(len(stable), device=stable.device)
    colour, exists = stable, cores.exists
    while True:
        node = colour.diagonal(dim1=1, dim2=2)
        n_alike = ((node[:, :, None] == node[:, None, :]) & exists[:, None, :]).sum(dim=2) * exists
        is_shared = n_alike > 1
        open_rows = is_shared.any(dim=1).nonzero()[:, 0]
        if not len(open_rows):
            return stable.diagonal(dim1=1, dim2=2), log_count
        rows, colour, exists = rows[open_rows], colour[open_rows], exists[open_rows]
        # The lowest colour is the same choice in each numbering, and its nodes are equivalent.
        marked = torch.where(is_shared, node, _HIGHEST)[open_rows].argmin(dim=1, keepdim=True)
        log_count[rows] += n_alike[open_rows].gather(1, marked)[:, 0].double().log()
        colour, _ = refined_pairs(_with_mark(colour, marked))
        stable = stable.index_copy(0, rows, colour)


def _with_mark(colour: Tensor, marked: Tensor) -> Tensor:
    place = marked * (colour.shape[1] + 1)
    flat = colour.flatten(1)
    return flat.scatter(1, place, mix(flat.gather(1, place) ^ _MARK)).view_as(colour)


def _unsettled(pruned: Pruned, colour: Tensor) -> Iterator[_Cores]:
    """Cores in which nodes share a colour, as many at a time as fit in memory; `colour` int64 [B, N]."""
    n_core = (colour != 0).sum(dim=1)
    # What is no core node is one more class, but where every node is one.
    n_classes = count_classes(colour) + (n_core == colour.shape[1])
    rows = (n_classes < n_core).nonzero()[:, 0]
    if not len(rows):
        return
    size = int(n_core[rows].max())
    for part in torch.split(rows, max(1, _MOST_PAIRS // size**2)):
        yield _cores(pruned, colour, part, size)


def _cores(pruned: Pruned, colour: Tensor, rows: Tensor, size: int) -> _Cores:
    n_rows, n_nodes = colour.shape
    order = (colour[rows] == 0).long().argsort(dim=1, stable=True)[:, :size]
    place = rows[:, None] * n_nodes + order
    number = torch.full((n_rows * n_nodes,), -1, dtype=torch.int64, device=colour.device)
    number[place.flatten()] = torch.arange(len(rows) * size, device=colour.device)
    links = pruned.links[number[pruned.links.near] >= 0]
    near, far = number[links.near], number[links.far]
    code = torch.zeros(len(rows) * size * size, dtype=torch.int64, device=colour.device)
    code[near * size + far % size] = links.code
    node = colour[rows].gather(1, order)
    return _Cores(rows, place, node != 0, pair_colours(node, code.view(-1, size, size)))
