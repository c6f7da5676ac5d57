"""Identity, symmetry and number of constructions of fragment trees, without a search.

A tree is read twice, from the leaves to node 0 and back. Each node's code hashes what hangs at its
attachment points, summed over the automorphisms of its fragment, so that it does not depend on which of
several equivalent points was written down. Two nodes are in the same orbit exactly if their codes agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fluvial.core.hashing import mix
from fluvial.envs.fragments.state import Tree
from fluvial.envs.fragments.tables import FragmentTables

_PARENT, _ANCHOR, _DONE = 0x5DEECE66D1A4F, 0x2545F4914F6CDD1D, 0x1B03738712FAD5C9


@dataclass(frozen=True)
class TreeCodes:
    """Codes of the nodes of B trees."""

    node: Tensor
    """int64 [B, largest tree], equal for nodes that an automorphism exchanges; 0 where there is no node."""
    log_rooted: Tensor
    """float64 [B], log of the number of automorphisms that fix node 0."""


class TreeHasher:
    """Reads trees of one vocabulary."""

    def __init__(self, tables: FragmentTables) -> None:
        self.tables = tables
        device = tables.permutation.device
        column_weight = mix(torch.arange(1, tables.permutation.shape[2] + 1, device=device)) | 1
        column_weight[0] = 0
        self.weight = column_weight[tables.permutation]
        self.seed = mix(torch.arange(tables.permutation.shape[0], device=device) + 0x9E3779B9)

    def codes(self, trees: Tree) -> TreeCodes:
        """Codes of all nodes of the trees."""
        n_rows, n_nodes = len(trees), _longest(trees)
        trees = Tree(
            trees.fragment[:, :n_nodes], trees.point[:, :n_nodes, :n_nodes], trees.anchor, trees.is_done
        )
        rows = torch.arange(n_rows, device=trees.device)
        parent = _parents(trees)
        own_column = trees.point.gather(2, parent[:, :, None]).squeeze(2)
        own_column[:, 0] = 0
        parent_column = trees.point.gather(1, parent[:, None, :]).squeeze(1)
        parent_column[:, 0] = 0

        hanging = torch.zeros((n_rows, n_nodes, self.weight.shape[2]), dtype=torch.int64, device=trees.device)
        width = self.tables.free.shape[2]
        has_anchor = trees.anchor > 0
        place = (trees.anchor - 1).clamp_min(0)
        hanging[rows, place // width, torch.where(has_anchor, place % width + 1, 0)] = _ANCHOR
        hanging.scatter_(2, own_column[:, :, None], _PARENT)
        with_node = [trees.fragment[:, node].nonzero().squeeze(1) for node in range(n_nodes)]
        for node in range(n_nodes - 1, 0, -1):
            rows = with_node[node]
            code = self._code(trees.fragment[rows, node], hanging[rows, node])
            hanging[rows, parent[rows, node], parent_column[rows, node]] = code
        log_rooted = self._log_stabiliser(trees, hanging)
        for node in range(1, n_nodes):
            rows = with_node[node]
            above = hanging[rows, parent[rows, node]].scatter(1, parent_column[rows, node, None], _PARENT)
            code = self._code(trees.fragment[rows, parent[rows, node]], above)
            hanging[rows, node, own_column[rows, node]] = code
        exists = trees.fragment > 0
        node_codes = torch.zeros_like(trees.fragment)
        node_codes[exists] = self._code(trees.fragment[exists], hanging[exists])
        return TreeCodes(node_codes, log_rooted)

    def key(self, trees: Tree) -> Tensor:
        """Canonical identity, int64 [B]."""
        return mix(mix(self.codes(trees).node).sum(dim=1)) ^ (trees.is_done * _DONE)

    def log_automorphisms(self, trees: Tree) -> Tensor:
        """Log of the number of permutations of nodes that leave the molecule as it is, float64 [B]."""
        codes = self.codes(trees)
        orbit = (codes.node == codes.node[:, :1]) & (codes.node != 0)
        return codes.log_rooted + orbit.sum(dim=1).clamp_min(1).double().log()

    def _code(self, fragment: Tensor, hanging: Tensor) -> Tensor:
        """Code of a node from what hangs at its columns, int64 [...]; `hanging` int64 [..., P + 1]."""
        each = mix(
            (self.weight[fragment] * hanging[..., None, :]).sum(dim=-1) + self.seed[fragment][..., None]
        )
        return mix((each * self.tables.is_permutation[fragment]).sum(dim=-1))

    def _log_stabiliser(self, trees: Tree, hanging: Tensor) -> Tensor:
        """Sum over nodes of the log number of ways in which what hangs below can be exchanged, float64
        [B]."""
        moved = hanging[:, :, None, :].expand(-1, -1, self.weight.shape[1], -1)
        moved = moved.gather(3, self.tables.permutation[trees.fragment])
        same = (moved == hanging[:, :, None, :])[..., 1:].all(dim=3) & self.tables.is_permutation[
            trees.fragment
        ]
        count = same.sum(dim=2).clamp_min(1).double().log()
        return (count - self.tables.log_fixing[trees.fragment, trees.used]).sum(dim=1)


def log_constructions(trees: Tree) -> Tensor:
    """Log number of orders in which the nodes can be added so that the tree stays connected, float64 [B].

    The hook length formula for each root (Knuth, TAOCP 3, 5.1.4, ex. 20), summed over roots by moving the
    root along bonds. 0 for the empty tree.
    """
    n_rows, n_nodes = trees.fragment.shape
    rows = torch.arange(n_rows, device=trees.device)
    parent = _parents(trees)
    exists = trees.fragment > 0
    size = exists.double()
    for node in range(n_nodes - 1, 0, -1):
        size[rows, parent[:, node]] += size[:, node]
    total = exists.sum(dim=1, keepdim=True).double()
    log_size = size.clamp_min(1).log()
    log_rooted = torch.zeros_like(size)
    log_rooted[:, 0] = torch.lgamma(total[:, 0] + 1) - log_size.sum(dim=1)
    for node in range(1, n_nodes):
        others = (total[:, 0] - size[:, node]).clamp_min(1).log()
        log_rooted[:, node] = log_rooted[rows, parent[:, node]] + log_size[:, node] - others
    log_rooted[:, 1:] = log_rooted[:, 1:].masked_fill(~exists[:, 1:], float("-inf"))
    return log_rooted.logsumexp(dim=1)


def _longest(trees: Tree) -> int:
    """Nodes of the largest tree, at least 1, so that nothing is computed for nodes that no tree has."""
    return max(1, int(trees.n_nodes.max())) if len(trees) else 1


def _parents(trees: Tree) -> Tensor:
    """The one neighbour with a smaller number of each node, int64 [B, N]; 0 where there is none."""
    return (trees.point > 0).tril(-1).int().argmax(dim=2)
