"""What was scored and what came of it, kept beside the target file, one line for each molecule."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from fluvial.core.errors import StorageError
from fluvial.oracles.ligands import Ligand
from fluvial.queue.jobs import Result


class Records:
    """Appends to a file of this process alone, so that many workers may share the folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{socket.gethostname()}-{os.getpid()}.jsonl"

    def add(self, ligand: Ligand, runs: Sequence[tuple[int, Result]]) -> None:
        """Keep what was asked about, what was scored, and each run with its seed.

        Raises:
            StorageError: the file cannot be written.
        """
        record = {
            "asked": ligand.asked,
            "scored": ligand.smiles,
            "inchi_key": ligand.inchi_key,
            "changes": list(ligand.changes),
            "open_stereocentres": ligand.n_open_stereocentres,
            "time": time.time(),
            "runs": [{"seed": seed, "values": dict(one.values), "reason": one.reason} for seed, one in runs],
        }
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(f"{json.dumps(record)}\n")
        except OSError as error:
            raise StorageError(f"{self._path} cannot be written: {error.strerror}") from error
