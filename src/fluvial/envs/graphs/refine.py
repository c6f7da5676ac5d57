"""Colours of nodes, and of pairs of nodes, that no renumbering changes.

Colours are hashes. A round gives each node, or pair, the hash of its colour and of the colours around it;
rounds end for each graph by itself when none of its classes of equal colour splits any more. Nothing here
depends on the numbering of the nodes nor on the other graphs of a batch.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from fluvial.core.hashing import GOLDEN, mix
from fluvial.envs.graphs.state import Graph

_SECOND = 0x5DEECE66D1A4F
_BITS, _SLICES = 20, 3
"""Bits of the slices of hashes that are multiplied: sums of 2^13 products stay below 2^53, up to which whole
numbers are exact in float64."""


@dataclasses.dataclass(frozen=True)
class Links:
    """Edges of B graphs of N nodes, each from both ends; node i of row b has number b * N + i."""

    near: Tensor
    """int64 [M], the node that looks."""
    far: Tensor
    """int64 [M], the node at the other end."""
    code: Tensor
    """int64 [M], hash of the edge, there and back, with its attributes."""

    def __getitem__(self, chosen: Tensor) -> Links:
        return Links(self.near[chosen], self.far[chosen], self.code[chosen])


def links_of(graphs: Graph) -> Links:
    """All edges, in order of the numbers of both ends."""
    row, near, far = graphs.linked.nonzero(as_tuple=True)
    n_nodes = graphs.node.shape[1]
    out, back = graphs.edge_attribute[row, near, far], graphs.edge_attribute[row, far, near]
    values = [
        graphs.edge[row, near, far],
        *out.unbind(dim=1),
        graphs.edge[row, far, near],
        *back.unbind(dim=1),
    ]
    return Links(row * n_nodes + near, row * n_nodes + far, folded(values))


def first_colours(graphs: Graph) -> Tensor:
    """Hash of the type and attributes of each node, int64 [B, N]; 0 where there is none."""
    return folded([graphs.node, *graphs.node_attribute.unbind(dim=2)]) * graphs.exists


def folded(values: list[Tensor]) -> Tensor:
    """One hash of several whole numbers in order, int64."""
    code = torch.zeros((), dtype=torch.int64, device=values[0].device)
    for value in values:
        code = mix(code * GOLDEN + value.long())
    return code


def count_classes(colour: Tensor) -> Tensor:
    """Number of changes of colour in each row int64 [B, M] once it is sorted, int64 [B]."""
    ordered = colour.sort(dim=1).values
    return (ordered[:, 1:] != ordered[:, :-1]).sum(dim=1)


def refined_nodes(colour: Tensor, links: Links) -> tuple[Tensor, Tensor]:
    """Stable colours of nodes, and those of one round more, which tell graphs apart; int64 [B, N] each.

    Args:
        colour: int64 [B, N], 0 for what takes no part.
        links: edges between nodes that take part.
    """
    takes_part, n_classes = colour != 0, count_classes(colour)
    nothing = torch.zeros_like(colour).flatten()
    while True:
        seen = mix(colour.flatten()[links.far] * GOLDEN + links.code)
        around = nothing.index_add(0, links.near, seen).view_as(colour)
        finer = mix(colour * GOLDEN + around) * takes_part
        n_finer = count_classes(finer)
        has_split = n_finer > n_classes
        if not bool(has_split.any()):
            return colour, finer
        colour = torch.where(has_split[:, None], finer, colour)
        n_classes = torch.maximum(n_finer, n_classes)


def pair_colours(node: Tensor, code: Tensor) -> Tensor:
    """First colours of pairs, int64 [B, N, N], 0 where there are not two nodes.

    Args:
        node: int64 [B, N], colours of the nodes, 0 where there is none.
        code: int64 [B, N, N], hashes of the edges, 0 where there is none.
    """
    is_same = torch.eye(node.shape[1], dtype=torch.int64, device=node.device)
    return folded([code, node[:, :, None], node[:, None, :], is_same]) * _both(node != 0)


def refined_pairs(colour: Tensor) -> tuple[Tensor, Tensor]:
    """Stable colours of pairs of nodes, and those of one round more; int64 [B, N, N] each.

    A round gives (u, v) the multiset, over all nodes w, of the colours of (u, w) and (w, v): the
    two-dimensional algorithm of Weisfeiler & Leman 1968.
    """
    is_pair, n_classes = colour != 0, count_classes(colour.flatten(1))
    while True:
        finer = mix(colour * GOLDEN + _around(colour, mix(colour ^ _SECOND) * is_pair)) * is_pair
        n_finer = count_classes(finer.flatten(1))
        has_split = n_finer > n_classes
        if not bool(has_split.any()):
            return colour, finer
        colour = torch.where(has_split[:, None, None], finer, colour)
        n_classes = torch.maximum(n_finer, n_classes)


def _around(left: Tensor, right: Tensor) -> Tensor:
    """A hash of the multiset of (left[u, w], right[w, v]) over w, int64 [B, N, N].

    Sums of products of hashes agree for different multisets only by accident. They are matrix products of
    slices of the hashes, short enough to be exact in float64.
    """
    code = torch.zeros_like(left)
    for number in range(_SLICES):
        mine, theirs = ((part >> (number * _BITS)) & ((1 << _BITS) - 1) for part in (left, right))
        code = mix(code * GOLDEN + (mine.double() @ theirs.double()).long())
    return code


def _both(exists: Tensor) -> Tensor:
    return exists[:, :, None] & exists[:, None, :]
