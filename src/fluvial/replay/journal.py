"""What waits for a reward, written down as it begins to wait, so that a kill loses none of it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from fluvial.core.files import storage_error

FILE_NAME = "waiting.jsonl"
"""In the folder of a run."""


@dataclass(frozen=True)
class _Record:
    step: int
    is_certain: bool
    state: dict[str, Any]


class Journal:
    """A file with a line of JSON for each batch of waiting trajectories since the last checkpoint.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, step: int, state: Mapping[str, Any], is_certain: bool = True) -> None:
        """Add a line: the state of a `WaitingRoom` with what began to wait in a step, or is about to.

        It is on the disk when this returns.

        Raises:
            StorageError: the disk is full or the folder cannot be written; earlier lines stay.
        """
        record = {"step": step, "is_certain": is_certain, "state": _plain(state)}
        try:
            with self._path.open("ab+") as file:
                _mend_end(file)
                file.write(json.dumps(record).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise storage_error(error, self._path) from error

    def read(self, since: int) -> list[dict[str, Any]]:
        """The states of all steps from `since` on; a line that is damaged or cut off is left out.

        What is not certain counts only as the last line: then a kill came before it was certain.
        """
        records = [record for record in self._records() if record is not None]
        return [
            record.state
            for number, record in enumerate(records, 1)
            if record.step >= since and (record.is_certain or number == len(records))
        ]

    def damage(self) -> list[str]:
        """A sentence for each damaged line but a last one, which a kill may have cut off."""
        return [
            f"{self._path} line {number} is damaged: the trajectories in it are lost, and the answers to them"
            " stay in the queue."
            for number, record in enumerate(self._records()[:-1], 1)
            if record is None
        ]

    def confirm(self) -> None:
        """Make certain what a kill left as not certain, now that it waits again and lines will follow."""
        records = [record for record in self._records() if record is not None]
        if records and not records[-1].is_certain:
            self.write(records[-1].step, records[-1].state)

    def _records(self) -> list[_Record | None]:
        """What each line says; None for a damaged one."""
        if not self._path.is_file():
            return []
        return [_record(line) for line in self._path.read_bytes().splitlines()]

    def clear(self) -> None:
        """Forget everything: a checkpoint holds it now."""
        self._path.unlink(missing_ok=True)


def _record(line: bytes) -> _Record | None:
    try:
        found = json.loads(line)
        return _Record(found["step"], found["is_certain"], _restored(found["state"]))
    except (ValueError, KeyError, TypeError, RuntimeError):
        return None


def _mend_end(file: BinaryIO) -> None:
    """Let the next line begin as one: what a kill cut off goes, and a whole line gets its end."""
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        return
    file.seek(size - 1)
    if file.read(1) == b"\n":
        return
    file.seek(0)
    rest = file.read().rpartition(b"\n")[2]
    if _record(rest) is None:
        file.truncate(size - len(rest))
    else:
        file.write(b"\n")


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        kind = str(value.dtype).removeprefix("torch.")
        return {"dtype": kind, "shape": list(value.shape), "values": value.flatten().tolist()}
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return value


def _restored(value: Any) -> Any:
    if isinstance(value, dict) and "dtype" in value:
        kind = DTYPES[value["dtype"]]
        return torch.tensor(value["values"], dtype=kind).reshape(value["shape"])
    if isinstance(value, dict):
        return {name: _restored(item) for name, item in value.items()}
    return value


DTYPES = {"int32": torch.int32, "int64": torch.int64, "float32": torch.float32, "float64": torch.float64}
"""Kinds of numbers that a line may hold."""
