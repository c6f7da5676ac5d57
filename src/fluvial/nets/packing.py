"""Rows of different length side by side without padding."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Packing:
    """Where the M real tokens of a padded [B, L] grid are."""

    place: Tensor
    """int64 [M], position in the flattened grid, ascending."""
    row: Tensor
    """int64 [M], row of each token."""
    exists: Tensor
    """bool [B, L]."""

    @classmethod
    def of(cls, exists: Tensor) -> Packing:
        """Packing of a grid bool [B, L]."""
        place = exists.flatten().nonzero().squeeze(1)
        return cls(place, place // exists.shape[1], exists)

    def pack(self, grid: Tensor) -> Tensor:
        """[B, L, ...] to [M, ...]."""
        return grid.flatten(0, 1)[self.place]

    def pad(self, packed: Tensor) -> Tensor:
        """[M, ...] to [B, L, ...] with zeros between."""
        grid = packed.new_zeros((self.exists.numel(), *packed.shape[1:]))
        return grid.index_copy(0, self.place, packed).view(*self.exists.shape, *packed.shape[1:])
