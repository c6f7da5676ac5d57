"""Trajectories as columns of one file mapped into memory: a copy of a database, to draw from."""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluvial.core.errors import StorageError

MAGIC = b"fluvial\0"
VERSION = 1
"""Of the layout; a file of any other is made again."""
HEADER = np.dtype(
    [
        ("magic", "S8"),
        ("version", "<i8"),
        ("identity", "S32"),
        ("capacity", "<i8"),
        ("max_steps", "<i8"),
        ("n_terms", "<i8"),
        ("width", "<i8"),
        ("synced", "<i8"),
        ("reach", "<i8"),
    ]
)
"""See `Columns.synced` and `Columns.reach`."""
HEADER_BYTES = 4096
"""A page, so that every column begins on one or near it."""


@dataclass(frozen=True)
class Layout:
    """What the columns of a file are."""

    capacity: int
    """Rows."""
    max_steps: int
    """T, actions of the longest trajectory."""
    n_terms: int
    """K, reward terms of each."""
    action: str
    """Data type of a number of an action: "<u1", "<u2" or "<u4"."""

    @property
    def columns(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Name to data type and shape of a row."""
        return {
            "key": ("<i8", ()),
            "reward": ("<f8", ()),
            "terms": ("<f8", (self.n_terms,)),
            "born": ("<u4", ()),
            "actions": (self.action, (self.max_steps,)),
            "n_steps": ("<u2", ()),
        }

    @property
    def row_bytes(self) -> int:
        """Bytes of a row in all columns."""
        return sum(
            np.dtype(kind).itemsize * int(np.prod(shape, dtype=np.int64))
            for kind, shape in self.columns.values()
        )


class Columns:
    """The columns of `layout` by name, arrays of `capacity` rows.

    The file takes room on the disk for rows that were written only. It may be deleted while it is not open.

    Args:
        path: of the file; one that does not fit is made anew, empty.
        layout: what the columns are.
        identity: 32 characters that tell whose copy this is.

    Raises:
        StorageError: the file cannot be written or mapped.
    """

    def __init__(self, path: Path, layout: Layout, identity: str) -> None:
        self.path = path
        wanted = np.zeros((), HEADER)
        wanted["magic"], wanted["version"], wanted["identity"] = MAGIC, VERSION, identity.encode()
        wanted["capacity"], wanted["max_steps"] = layout.capacity, layout.max_steps
        wanted["n_terms"], wanted["width"] = layout.n_terms, np.dtype(layout.action).itemsize
        size = HEADER_BYTES + layout.capacity * layout.row_bytes
        try:
            if not _is_copy(path, wanted, size):
                path.unlink(missing_ok=True)
                with path.open("wb") as file:
                    file.write(wanted.tobytes())
                    os.ftruncate(file.fileno(), size)
            with path.open("r+b") as file:
                self._map = mmap.mmap(file.fileno(), 0)
        except OSError as error:
            raise StorageError(
                f"{path}: cannot be kept there ({error}). Free some space, or change the permissions; the "
                "trajectories themselves are safe in the database beside it"
            ) from error
        self._header = np.frombuffer(self._map, HEADER, count=1)
        place = HEADER_BYTES
        columns: dict[str, NDArray[Any]] = {}
        for name, (kind, shape) in layout.columns.items():
            items = layout.capacity * int(np.prod(shape, dtype=np.int64))
            column = np.frombuffer(self._map, kind, count=items, offset=place)
            columns[name] = column.reshape((layout.capacity, *shape))
            place += column.nbytes
        self.key: NDArray[np.int64] = columns["key"]
        self.reward: NDArray[np.float64] = columns["reward"]
        self.terms: NDArray[np.float64] = columns["terms"]
        self.born: NDArray[np.uint32] = columns["born"]
        self.actions: NDArray[Any] = columns["actions"]
        self.n_steps: NDArray[np.uint16] = columns["n_steps"]

    @property
    def synced(self) -> int:
        """How many rows, counted from the first one ever, are sure to have been written."""
        return int(self._header["synced"][0])

    @property
    def reach(self) -> int:
        """From which row on, counted alike, surely none was written: an older one may stand in its place."""
        return int(self._header["reach"][0])

    def mark(self, synced: int, reach: int) -> None:
        """Have all that was written on the disk, and then that it is, and how far the next rows may reach.

        Raises:
            StorageError: the disk reports an error.
        """
        try:
            self._map.flush()
            self._header["synced"], self._header["reach"] = synced, reach
            self._map.flush(0, HEADER_BYTES)
        except OSError as error:
            raise StorageError(f"{self.path}: its disk reports an error ({error}). Check the disk") from error


def _is_copy(path: Path, wanted: Any, size: int) -> bool:
    """Whether the file is one of this layout and identity."""
    if not path.is_file() or path.stat().st_size != size:
        return False
    with path.open("rb") as file:
        found = np.frombuffer(file.read(HEADER.itemsize), HEADER)[0]
    return all(found[name] == wanted[name] for name in HEADER.names or () if name not in ("synced", "reach"))


def action_type(n_actions: int) -> str:
    """The narrowest data type that holds the numbers below `n_actions`."""
    return "<u1" if n_actions <= 2**8 else "<u2" if n_actions <= 2**16 else "<u4"
