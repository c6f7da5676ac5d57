"""Building blocks in clusters of alike ones, so that one of very many can be chosen in two steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

N_AXES = 64
"""Random projections that stand for the bits; arbitrary."""
ROUNDS = 4
"""Improvements of each split; more change little. Arbitrary."""
_ROWS_AT_ONCE = 65_536
_SEED = 2008
"""Of the projections; any number, but always the same."""
_LARGEST = 127
"""Of the coordinates of a direction, so that products are whole numbers below 2^24."""

Whole = NDArray[np.int64]


def cluster_count(n_blocks: int) -> int:
    """How many clusters `n_blocks` are split into: a power of two, about the square root of their number."""
    return int(2 ** round(np.log2(n_blocks) / 2))


def clusters_of(fingerprints: NDArray[np.uint8], n_clusters: int | None = None) -> Whole:
    """The cluster of each block, int64 [N], from 0; their sizes differ by at most 1.

    All blocks are halved again and again, at the median along the line between the means of both halves, as
    by k-means with two equal clusters. The line is found with a sample of the blocks. Whole numbers only, so
    the result is the same on every machine.

    Args:
        fingerprints: uint8 [N, bits / 8], the lowest bit first.
        n_clusters: a power of two, at most N; by default `cluster_count` of N.
    """
    n_clusters = cluster_count(len(fingerprints)) if n_clusters is None else n_clusters
    values = _projected(fingerprints)
    order, ends = np.arange(len(values)), np.array([len(values)])
    for _ in range(n_clusters.bit_length() - 1):
        starts = np.concatenate([[0], ends[:-1]])
        step = max(1, min(len(order) // _ROWS_AT_ONCE, int((ends - starts).min())))
        seen = np.arange(0, len(order), step)
        line = _line(values[order[seen]].astype(np.int64), np.searchsorted(seen, starts))
        node = np.repeat(np.arange(len(ends)), ends - starts)
        order = order[np.lexsort((_along(values, order, line, node), node))]
        ends = np.stack([(starts + ends + 1) // 2, ends], axis=1).reshape(-1)
    cluster = np.empty(len(values), np.int64)
    cluster[order] = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    return cluster


def _projected(fingerprints: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Sums of the bits with random signs, int16 [N, N_AXES]."""
    n_bits = 8 * fingerprints.shape[1]
    signs = np.random.default_rng(_SEED).choice(np.array([-1.0, 1.0], np.float32), (n_bits, N_AXES))
    found = np.empty((len(fingerprints), N_AXES), np.int16)
    for start in range(0, len(found), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        bits = np.unpackbits(fingerprints[rows], axis=1, bitorder="little")
        # Sums of fewer than 2^24 signs are whole in float32.
        found[rows] = bits.astype(np.float32) @ signs
    return found


def _line(values: Whole, starts: Whole) -> Whole:
    """A line to split each run of rows along, int64 [runs, N_AXES]: at first that axis on which they differ
    most."""
    sizes = np.diff(starts, append=len(values))
    node, half = np.repeat(np.arange(len(starts)), sizes), (sizes + 1) // 2
    first, second = np.add.reduceat(values, starts), np.add.reduceat(values * values, starts)
    line: Whole = np.eye(N_AXES, dtype=np.int64)[(sizes[:, None] * second - first * first).argmax(axis=1)]
    is_upper = np.arange(len(values)) - starts[node] >= half[node]
    for _ in range(ROUNDS):
        ordered = values[np.lexsort(((values * line[node]).sum(axis=1), node))]
        upper = np.add.reduceat(ordered * is_upper[:, None], starts)
        apart = upper * half[:, None] - (first - upper) * (sizes - half)[:, None]
        line = _LARGEST * apart // np.abs(apart).max(axis=1, keepdims=True).clip(1)
    return line


def _along(values: NDArray[np.int16], order: Whole, line: Whole, node: Whole) -> NDArray[np.float32]:
    """How far along the line of its node each row lies, whole numbers in float32 [N]."""
    lines, found = line.astype(np.float32), np.empty(len(order), np.float32)
    for start in range(0, len(order), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        found[rows] = np.einsum("nd,nd->n", values[order[rows]].astype(np.float32), lines[node[rows]])
    return found
