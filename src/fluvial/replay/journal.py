"""What waits for a reward, written down as it begins to wait, so that a kill loses none of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

FILE_NAME = "waiting.jsonl"
"""In the folder of a run."""


class Journal:
    """A file with a line of JSON for each batch of waiting trajectories since the last checkpoint.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, step: int, state: Mapping[str, Any], is_certain: bool = True) -> None:
        """Add a line: the state of a `WaitingRoom` with what began to wait in a step, or is about to."""
        record = {"step": step, "is_certain": is_certain, "state": _plain(state)}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def read(self, since: int) -> list[dict[str, Any]]:
        """The states of all steps from `since` on; a line that a kill cut off is left out.

        What is not certain counts only as the last line: then a kill came before it was certain.
        """
        if not self._path.is_file():
            return []
        records = []
        for line in self._path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                record = json.loads(line)
                records.append((record["step"], record["is_certain"], _restored(record["state"])))
            except (ValueError, KeyError, TypeError):
                continue
        return [
            state
            for number, (step, is_certain, state) in enumerate(records, 1)
            if step >= since and (is_certain or number == len(records))
        ]

    def clear(self) -> None:
        """Forget everything: a checkpoint holds it now."""
        self._path.unlink(missing_ok=True)


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
