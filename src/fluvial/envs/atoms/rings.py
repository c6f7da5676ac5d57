"""Rings within limits of size.

Sizes are those of a smallest set of rings, as chemists count them: naphthalene has two rings of 6 and none of
10. A bond closes a ring of d + 1 atoms where its ends were d bonds apart, and the largest ring of a smallest
set is within a limit exactly if all cycles are sums (over GF(2)) of cycles within it. So a bond may be taken
away if the rest keeps this property, which the two rings of naphthalene without the bond that they share do
not.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fluvial.envs.atoms.rules import AtomRules
from fluvial.envs.graphs.state import Graph

_MOST_ENTRIES = 1 << 22
"""Entries of the matrices that are reduced at once: bonds tried, times cycles, times words."""
_BITS = 62
"""Bonds that a word holds."""


def closes_a_ring(states: Graph, rules: AtomRules) -> Tensor | None:
    """Between which atoms a bond closes a ring of an allowed size, bool [B, N, N].

    None where that is so between all atoms that are not bonded.
    """
    smallest, largest = rules.min_ring_size, rules.max_ring_size
    if smallest <= 3 and not largest:
        return None
    reached = _within(states, max(smallest - 2, 1))
    allowed = ~reached
    if largest:
        for _ in range(largest - 1 - max(smallest - 2, 1)):
            reached = _one_further(states, reached)
        allowed &= reached
    return allowed


def _within(states: Graph, n_bonds: int) -> Tensor:
    """Whether two atoms are at most so many bonds apart, bool [B, N, N]."""
    size = states.node.shape[1]
    reached = states.edge.bool() | torch.eye(size, dtype=torch.bool, device=states.device)
    for _ in range(n_bonds - 1):
        reached = _one_further(states, reached)
    return reached


def _one_further(states: Graph, reached: Tensor) -> Tensor:
    return (reached.float() @ states.edge.bool().float()).bool() | reached


@dataclass(frozen=True)
class _Cycles:
    """All simple cycles of at most some size."""

    row: Tensor
    """int64 [C], ascending."""
    words: Tensor
    """int64 [C, W], which bonds of its row each has: bond e is bit e % 62 of word e // 62."""
    n_through: Tensor
    """int64 [B, E], cycles through each bond."""


def opens_well(states: Graph, largest: int) -> Tensor:
    """Which bonds may be taken away so that no ring is larger than `largest`, bool [B, N, N].

    Args:
        states: connected molecules whose rings are within the limit.
        largest: at least 3.
    """
    number = _numbered_bonds(states)
    cycles = _short_cycles(states, number, largest)
    n_rows, n_bonds = cycles.n_through.shape
    fine = cycles.n_through == 1
    tried = (cycles.n_through > 1).nonzero()
    if len(tried):
        fine[tried[:, 0], tried[:, 1]] = _spans_rest(cycles, tried, _n_rings(states))
    padded = torch.nn.functional.pad(fine, (0, 1))
    rows = torch.arange(n_rows, device=states.device)[:, None, None]
    return padded[rows, torch.where(number < 0, n_bonds, number)]


def _n_rings(states: Graph) -> Tensor:
    """Bonds less those of a tree, int64 [B]."""
    return states.edge.bool().sum(dim=(1, 2)) // 2 - states.n_nodes + 1


def _numbered_bonds(states: Graph) -> Tensor:
    """Number of each bond in its molecule, int64 [B, N, N], the same from both ends; -1 where there is
    none."""
    there = states.edge.bool().triu()
    number = there.flatten(1).cumsum(dim=1).view_as(states.edge) * there
    return number + number.transpose(1, 2) - 1


def _short_cycles(states: Graph, number: Tensor, largest: int) -> _Cycles:
    """Cycles of at most `largest` atoms, each once.

    Paths grow from their lowest atom; one that can come back to it is a cycle, counted in the direction in
    which its second atom is lower than its last.
    """
    linked = states.edge.bool()
    row, start, last = linked.triu().nonzero(as_tuple=True)
    path = torch.stack([start, last], dim=1)
    n_bonds = max(1, int(number.max()) + 1) if len(states) else 1
    rows, found, through = [], [], torch.zeros(len(states) * n_bonds, dtype=torch.int64, device=row.device)
    for size in range(2, largest + 1):
        if size > 2:
            closed = linked[row, path[:, -1], path[:, 0]] & (path[:, 1] < path[:, -1])
            bond = number[row[closed, None], path[closed], path[closed].roll(-1, dims=1)]
            words = torch.zeros((len(bond), -(-n_bonds // _BITS)), dtype=torch.int64, device=row.device)
            rows.append(row[closed])
            found.append(words.scatter_add(1, bond // _BITS, 1 << bond % _BITS))
            through += torch.bincount((row[closed, None] * n_bonds + bond).flatten(), minlength=len(through))
        if size < largest:
            goes = linked[row, path[:, -1]] & (torch.arange(linked.shape[1], device=row.device) > path[:, :1])
            goes = goes.scatter(1, path, False)
            which, after = goes.nonzero(as_tuple=True)
            row, path = row[which], torch.cat([path[which], after[:, None]], dim=1)
    every = torch.cat(rows)
    order = every.argsort(stable=True)
    return _Cycles(every[order], torch.cat(found)[order], through.view(len(states), n_bonds))


def _spans_rest(cycles: _Cycles, tried: Tensor, n_rings: Tensor) -> Tensor:
    """Whether the cycles that avoid a bond make all other rings of its molecule, bool [T].

    Args:
        cycles: of all molecules.
        tried: int64 [T, 2], row and number of each bond.
        n_rings: int64 [B].
    """
    counts = torch.bincount(cycles.row, minlength=len(n_rings))
    first, most = counts.cumsum(0) - counts, int(counts.max())
    parts = torch.split(tried, max(1, _MOST_ENTRIES // (most * cycles.words.shape[1])))
    place = torch.arange(most, device=tried.device)
    spans = []
    for part in parts:
        row, bond = part.unbind(dim=1)
        which = first[row, None] + torch.minimum(place, (counts[row] - 1)[:, None])
        vectors = cycles.words[which]
        word = vectors.gather(2, (bond // _BITS)[:, None, None].expand(-1, most, 1))[:, :, 0]
        avoids = (word >> (bond % _BITS)[:, None]) & 1 == 0
        kept = avoids & (place < counts[row, None])
        rank = _rank(vectors * kept[:, :, None], cycles.n_through.shape[1])
        spans.append(rank == n_rings[row] - 1)
    return torch.cat(spans)


def _rank(vectors: Tensor, n_bits: int) -> Tensor:
    """Ranks over GF(2) of the rows of matrices of so many bits, int64 [T]; `vectors` int64 [T, C, W]."""
    rank = torch.zeros(len(vectors), dtype=torch.int64, device=vectors.device)
    left = vectors
    for bit in range(n_bits):
        has = (left[:, :, bit // _BITS] >> bit % _BITS) & 1
        most, pivot = has.max(dim=1)
        leads = left.gather(1, pivot[:, None, None].expand(-1, 1, left.shape[2]))
        left = left ^ (leads * has[:, :, None])
        rank += most
    return rank
