"""Look-up tables that turn the symmetries of a vocabulary into tensors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fluvial.chem.symmetry import PointSymmetry, point_symmetry
from fluvial.chem.vocabulary import Vocabulary

Permutations = NDArray[np.int64]
"""[G, n], one permutation of points in each row."""


@dataclass(frozen=True)
class FragmentTables:
    """Everything that the environment asks of a vocabulary, by fragment number f = 1..F; 0 is "no fragment".

    S is the largest number of attachment points, "used" a bit set of points, and a point column counts from 1
    where 0 stands for "no point".
    """

    n_points: Tensor
    """int64 [F + 1]."""
    free: Tensor
    """bool [F + 1, 2^S, S]: points that may be offered, one of each class of equivalent ones."""
    representative: Tensor
    """int64 [F + 1, 2^S, S]: the offered point that is equivalent to point s."""
    log_copies: Tensor
    """float [F + 1, 2^S]: log of how many distinct literal choices make the same bonding pattern."""
    log_fixing: Tensor
    """float [F + 1, 2^S]: log of the number of automorphisms that fix each used point."""
    point_class: Tensor
    """int64 [F + 1, S + 1]: class of equivalent points, counted from 1."""
    relation: Tensor
    """int64 [F + 1, S + 1, S + 1]: class of equivalent ordered pairs of different points, counted from 1."""
    permutation: Tensor
    """int64 [F + 1, G, P + 1]: automorphisms as permutations of the P closed points (counted from 1)."""
    is_permutation: Tensor
    """bool [F + 1, G]: which rows of `permutation` are no padding."""
    partner_fragment: Tensor
    """int64 [Q]: fragment number of each way to bring in a new fragment."""
    partner_point: Tensor
    """int64 [Q]: its attachment point, counted from 0."""
    partner_index: Tensor
    """int64 [F + 1, S]: the way that brings in fragment f by (an equivalent of) point s."""

    def to(self, device: torch.device) -> FragmentTables:
        """The same tables on a device."""
        return FragmentTables(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


def build_tables(vocabulary: Vocabulary, merge_symmetric: bool) -> FragmentTables:
    """Tables of a vocabulary; without `merge_symmetric` each attachment atom stays a choice of its own."""
    symmetries = [point_symmetry(fragment) for fragment in vocabulary.fragments]
    n_fragments, width = len(symmetries), max(symmetry.n_points for symmetry in symmetries)
    closed = max(symmetry.n_closed for symmetry in symmetries)
    order = max(len(symmetry.permutations) for symmetry in symmetries)

    n_points = np.array([0] + [symmetry.n_points for symmetry in symmetries])
    free = np.zeros((n_fragments + 1, 2**width, width), dtype=bool)
    representative = np.zeros(free.shape, dtype=np.int64)
    log_copies, log_fixing = np.zeros(free.shape[:2]), np.zeros(free.shape[:2])
    point_class = np.zeros((n_fragments + 1, width + 1), dtype=np.int64)
    relation = np.zeros((n_fragments + 1, width + 1, width + 1), dtype=np.int64)
    permutation = np.tile(np.arange(closed + 1), (n_fragments + 1, order, 1))
    is_permutation = np.zeros((n_fragments + 1, order), dtype=bool)

    for number, symmetry in enumerate(symmetries, start=1):
        size = symmetry.n_points
        full = np.array(symmetry.permutations, dtype=np.int64)
        merged = _merging_group(symmetry, merge_symmetric)
        permutation[number, : len(full), 1 : symmetry.n_closed + 1] = full + 1
        is_permutation[number, : len(full)] = True
        point_class[number, 1 : size + 1] = _ranks(merged.min(axis=0)) + 1
        relation[number, 1 : size + 1, 1 : size + 1] = _pair_classes(merged)
        for used in range(2**size):
            points = [point for point in range(size) if used >> point & 1]
            fixing = merged[(merged[:, points] == points).all(axis=1)]
            lowest = fixing.min(axis=0)
            representative[number, used, :size] = lowest
            free[number, used, :size] = (lowest == np.arange(size)) & ~np.isin(np.arange(size), points)
            log_copies[number, used] = math.log(_images(full, points, size) / _images(merged, points, size))
            log_fixing[number, used] = math.log((full[:, points] == points).all(axis=1).sum())

    ways = [(f, s) for f in range(1, n_fragments + 1) for s in range(width) if free[f, 0, s]]
    numbers = {way: index for index, way in enumerate(ways)}
    partner_index = np.array(
        [
            [numbers.get((f, int(representative[f, 0, s])), 0) for s in range(width)]
            for f in range(n_fragments + 1)
        ]
    )
    return FragmentTables(
        n_points=torch.from_numpy(n_points),
        free=torch.from_numpy(free),
        representative=torch.from_numpy(representative),
        log_copies=torch.from_numpy(log_copies),
        log_fixing=torch.from_numpy(log_fixing),
        point_class=torch.from_numpy(point_class),
        relation=torch.from_numpy(relation),
        permutation=torch.from_numpy(permutation),
        is_permutation=torch.from_numpy(is_permutation),
        partner_fragment=torch.tensor([f for f, _ in ways]),
        partner_point=torch.tensor([s for _, s in ways]),
        partner_index=torch.from_numpy(partner_index),
    )


def _merging_group(symmetry: PointSymmetry, merge_symmetric: bool) -> Permutations:
    """Automorphisms whose equivalent points are merged: those that map listed points to listed points."""
    full = np.array(symmetry.permutations, dtype=np.int64)[:, : symmetry.n_points]
    if not merge_symmetric:
        return np.arange(symmetry.n_points)[None]
    return np.unique(full[(full < symmetry.n_points).all(axis=1)], axis=0)


def _images(group: Permutations, points: list[int], n_points: int) -> int:
    """Number of distinct listed places to which the group moves a tuple of points."""
    images = group[:, points]
    return len(np.unique(images[(images < n_points).all(axis=1)], axis=0)) if points else 1


def _ranks(values: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(values, return_inverse=True)[1].reshape(values.shape)


def _pair_classes(group: Permutations) -> NDArray[np.int64]:
    """Orbit of each ordered pair of different points, counted from 1; 0 on the diagonal. [n, n]."""
    size = group.shape[1]
    lowest = (group[:, :, None] * size + group[:, None, :]).min(axis=0)
    classes = np.zeros((size, size), dtype=np.int64)
    off_diagonal = ~np.eye(size, dtype=bool)
    classes[off_diagonal] = _ranks(lowest[off_diagonal]) + 1
    return classes
