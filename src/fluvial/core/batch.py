"""A record of tensors that share their leading axis."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Self

import torch
from torch import Tensor


@dataclasses.dataclass(frozen=True)
class Batch:
    """Frozen record of tensors that share axis 0; a subclass adds the fields.

    Indexing, stacking and moving act on every field alike, so code that carries states needs no knowledge
    of them.
    """

    def _map(self, function: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(*(function(value) for value in self.tensors()))

    def tensors(self) -> tuple[Tensor, ...]:
        """The fields in order of declaration."""
        return tuple(getattr(self, name) for name in self.__dataclass_fields__)

    def __len__(self) -> int:
        return int(self.tensors()[0].shape[0])

    def __getitem__(self, index: Tensor | slice | tuple[Tensor, ...]) -> Self:
        return self._map(lambda tensor: tensor[index])

    @property
    def device(self) -> torch.device:
        """Device of the first field."""
        return self.tensors()[0].device

    def to(self, device: torch.device | str) -> Self:
        """The same record on `device`."""
        return self._map(lambda tensor: tensor.to(device))

    def flatten(self) -> Self:
        """Merge the first two axes: [T, B, ...] to [T * B, ...]."""
        return self._map(lambda tensor: tensor.flatten(0, 1))

    def repeat(self, count: int) -> Self:
        """Each row `count` times, neighbours together: [B, ...] to [B * count, ...]."""
        return self._map(lambda tensor: tensor.repeat_interleave(count, dim=0))

    def where(self, condition: Tensor, other: Self) -> Self:
        """Rows of self where `condition` bool [B], else rows of `other`."""

        def choose(mine: Tensor, theirs: Tensor) -> Tensor:
            return torch.where(condition.reshape(-1, *[1] * (mine.dim() - 1)), mine, theirs)

        return type(self)(*map(choose, self.tensors(), other.tensors()))

    def put(self, index: Tensor, rows: Self) -> Self:
        """A copy of self in which the rows at `index` int64 [M] are `rows`."""

        def replace(mine: Tensor, theirs: Tensor) -> Tensor:
            return mine.index_copy(0, index, theirs)

        return type(self)(*map(replace, self.tensors(), rows.tensors()))

    @classmethod
    def cat(cls, parts: Sequence[Self]) -> Self:
        """Concatenate along axis 0."""
        return cls(*(torch.cat(columns) for columns in zip(*(part.tensors() for part in parts), strict=True)))

    @classmethod
    def stack(cls, parts: Sequence[Self]) -> Self:
        """Stack along a new axis 0."""
        return cls(
            *(torch.stack(columns) for columns in zip(*(part.tensors() for part in parts), strict=True))
        )
