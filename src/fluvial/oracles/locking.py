"""One worker at a time, also across machines that share a folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fluvial.core.errors import StorageError


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Wait until no other process holds the lock, and hold it; it ends with the process.

    Raises:
        StorageError: the file cannot be made.
    """
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        stream = lock.open("w")
    except OSError as error:
        raise StorageError(f"{lock} cannot be made: {error.strerror}") from error
    with stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


@contextmanager
def first_alone(mark: Path) -> Iterator[bool]:
    """Whether a mark is not there yet; then nobody else gets that answer meanwhile.

    Whoever does the work makes the mark. What fails leaves none, and the next one tries.
    """
    if mark.exists():
        yield False
        return
    with alone(mark.with_name(f"{mark.name}.lock")):
        if not mark.exists():
            yield True
            return
    yield False
