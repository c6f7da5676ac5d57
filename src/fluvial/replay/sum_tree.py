"""Draws in proportion to weights that change, out of millions, without going over all of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FAN = 64
"""Children of a node, which lie side by side in memory. Measured at ten million weights: 32 is as fast, and
256 takes twice as long."""
SCALE = 2.0**-27
"""Factor of the weights in sums, so that as many as there may be of the largest numbers have a finite sum."""
BELOW_ONE = float(np.nextafter(1.0, 0.0))

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


class SumTree:
    """Sums of blocks of `weights`, of blocks of blocks, and so on.

    Sums are made anew from what is below them, never changed by differences, so that no error of rounding
    gathers.

    Args:
        weights: float64 [N], >= 0; a view, of which the tree is told what has changed.
    """

    def __init__(self, weights: Floats) -> None:
        self._levels = [weights]
        while len(self._levels[-1]) > FAN:
            self._levels.append(_block_sums(self._levels[-1], len(self._levels) == 1))

    @property
    def total(self) -> float:
        """Sum of the weights, times `SCALE`."""
        top = self._levels[-1]
        return float((top * (SCALE if len(self._levels) == 1 else 1.0)).sum())

    def update(self, rows: Rows) -> None:
        """Take note of new weights at `rows`."""
        for level in range(1, len(self._levels)):
            below = self._levels[level - 1]
            rows = np.unique(rows // FAN)
            # The last block may be short.
            is_whole = (rows + 1) * FAN <= len(below)
            whole, scale = rows[is_whole], SCALE if level == 1 else 1.0
            blocks = below[whole[:, None] * FAN + np.arange(FAN)] * scale
            self._levels[level][whole] = blocks.sum(axis=1)
            for row in rows[~is_whole]:
                self._levels[level][row] = (below[row * FAN :] * scale).sum()

    def draw(self, level: Floats) -> Rows:
        """Rows in proportion to their weights, int64 [n]; uniform where all are 0.

        Args:
            level: float64 [n], 0..1 without 1, drawn uniformly.
        """
        if self.total == 0.0:
            return (level * len(self._levels[0])).astype(np.int64)
        node = np.zeros(len(level), dtype=np.int64)
        for below in reversed(self._levels):
            place = node[:, None] * FAN + np.arange(FAN)
            children = below[np.minimum(place, len(below) - 1)] * SCALE
            children[place >= len(below)] = 0.0
            cumulative = children.cumsum(axis=1)
            total = cumulative[:, -1]
            # The product may round up to the total, which nothing exceeds.
            reached = np.minimum(level * total, np.nextafter(total, 0.0))
            child = (cumulative <= reached[:, None]).sum(axis=1)
            rows = np.arange(len(level))
            weight = children[rows, child]
            before = cumulative[rows, child] - weight
            level = np.clip((reached - before) / weight, 0.0, BELOW_ONE)
            node = node * FAN + child
        return node


def _block_sums(weights: Floats, is_lowest: bool) -> Floats:
    starts = np.arange(0, len(weights), FAN)
    return np.add.reduceat(weights * SCALE if is_lowest else weights, starts)
