"""metrics.jsonl: what a run tells, one JSON object a line, in its folder."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from fluvial.cli.progress import JsonLines, Status
from fluvial.core.files import write_bytes_atomic
from fluvial.core.plain import finite

if TYPE_CHECKING:
    from fluvial.train.run import Run


class MetricsFile:
    """Writes the events of a run; a full disk must not end a run through it."""

    def __init__(self) -> None:
        self._file: TextIO | None = None
        self._lines = JsonLines(self._write)

    def begin(self, run: Run, step: int) -> None:
        """Open the file; what an abandoned course of the run told after `step` is removed.

        Raises:
            StorageError: what is there already cannot be read or replaced.
        """
        path = run.directory.metrics
        if path.is_file():
            write_bytes_atomic(path, b"".join(lines_until(path, step)))
        with suppress(OSError):
            self._file = path.open("a", encoding="utf-8")
        self._lines.begin(run, step)

    def step(self, status: Status) -> None:
        """Write all numbers of a due step."""
        self._lines.step(status)

    def note(self, event: str, text: str) -> None:
        """Write the event."""
        self._lines.note(event, text)

    def close(self) -> None:
        """Write that nothing more will come for now."""
        self._write({"event": "end"})
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    def _write(self, record: Mapping[str, Any]) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.write(json.dumps({"time": time.time(), **finite(record)}) + "\n")
                self._file.flush()


def lines_until(path: Path, step: int) -> Iterator[bytes]:
    """The whole lines of a metrics file before the first one of a later step than `step`; a line that a full
    disk or a crash broke off is left out, and costs no other."""
    for line in path.read_bytes().splitlines(keepends=True):
        record = parsed(line)
        if record is None:
            continue
        if record.get("event") == "step" and record.get("step", 0) > step:
            return
        yield line


def parsed(line: bytes) -> dict[str, Any] | None:
    """The record of a whole line; None for a line that is broken off."""
    try:
        record = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return record if isinstance(record, dict) else None
