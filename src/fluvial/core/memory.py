"""Memory of the process that the C library keeps after it was freed."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache


def give_back_memory() -> None:
    """Return freed memory to the operating system, where the C library can (glibc); a tenth of a second.

    Batches of ever other shapes leave holes in the heap that no later tensor fits: a run that uses 0.2 GiB
    grows by gigabytes in some thousand steps.
    """
    _trim()(0)


@cache
def _trim() -> Callable[[int], int]:
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return lambda padding: 0
    return found
