"""Workers on this machine that are started with a run and end with it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from fluvial.core.errors import RewardError

LAST_WORDS_SECONDS = 10.0
"""In which a worker tells what it knows and gives back the rest; arbitrary."""
TAIL = 2000


class LocalWorkers:
    """`count` processes of `fluvial worker` for the run in `folder`; what they say goes into a file there."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder = folder
        self._log_path = folder / "workers.log"
        self._log: BinaryIO = self._log_path.open("ab")
        self._processes = [self._start() for _ in range(count)]

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "fluvial", "worker", str(self._folder.resolve()), "--follow"]
        # A session of their own: Ctrl-C is for the run, which sends them home when it is saved.
        return subprocess.Popen(  # noqa: S603 - an argument list, no shell
            command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, start_new_session=True
        )

    def tend(self) -> None:
        """Start those again that were killed.

        Raises:
            RewardError: one says that it cannot work.
        """
        for place, process in enumerate(self._processes):
            code = process.poll()
            if code is not None and code > 0:
                raise RewardError(f"a worker of this run ended with exit code {code}: {self._last_line()}")
            if code is not None:
                self._processes[place] = self._start()

    def _last_line(self) -> str:
        text = self._log_path.read_bytes()[-TAIL:].decode("utf-8", "replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1] if lines else f"see {self._log_path}"

    def close(self) -> None:
        """Send all of them home."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(LAST_WORDS_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._log.close()


@contextmanager
def local_workers(folder: Path, count: int) -> Iterator[LocalWorkers]:
    """Workers for the run in `folder`, which end with the block."""
    workers = LocalWorkers(folder, count)
    try:
        yield workers
    finally:
        workers.close()
