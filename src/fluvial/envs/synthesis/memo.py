"""What functions gave, for as many arguments as there is room for."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Memo(dict[K, V]):
    """A function's values by argument: `memo[key]` calls it where nothing is known.

    Other than with `functools.lru_cache`, values can be put in, and asking whether one is known calls
    nothing. When it is full, the older half goes.

    Args:
        function: of one argument.
        most: values that are kept, at least 1.
    """

    def __init__(self, function: Callable[[K], V], most: int) -> None:
        super().__init__()
        self._function, self._most = function, most

    def __missing__(self, key: K) -> V:
        value = self._function(key)
        self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        """Keep a value."""
        if len(self) >= self._most:
            for old in list(islice(self, (self._most + 1) // 2)):
                del self[old]
        self[key] = value
