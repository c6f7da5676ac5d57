"""Many texts in one array of bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Texts(Sequence[str]):
    """N texts in one array of bytes, so that a million of them need not be objects.

    Args:
        content: uint8 [total], all texts in UTF-8, one behind the other.
        ends: int64 [N], where each ends.
    """

    def __init__(self, content: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        self.content = content
        self.ends = ends

    @classmethod
    def of(cls, texts: Sequence[str]) -> Texts:
        """The same texts in one array."""
        encoded = [text.encode() for text in texts]
        ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
        return cls(np.frombuffer(b"".join(encoded), np.uint8), ends)

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        number = int(place)
        if not -len(self) <= number < len(self):
            raise IndexError(f"there are {len(self)} texts, not one at {number}")
        number %= len(self)
        start = int(self.ends[number - 1]) if number else 0
        return self.content[start : int(self.ends[number])].tobytes().decode()

    def __iter__(self) -> Iterator[str]:
        return (self[number] for number in range(len(self)))
