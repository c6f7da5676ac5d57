"""Programs that are run to their end, or ended with all that they started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fluvial.core.errors import RewardError
from fluvial.rewards.function_server import die_with_parent
from fluvial.rewards.kept_process import ending

MOST_LOG = 4_000_000
"""Bytes of a program's words that are read, from the end; arbitrary."""


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    reason: str
    """Empty if it ended by itself with exit code 0."""
    log: str
    """What it wrote to stdout and stderr, or the end of it."""

    @property
    def words(self) -> str:
        """The reason with the last line that it wrote."""
        lines = [line.strip() for line in self.log.splitlines() if line.strip()]
        reason = self.reason or "ended with exit code 0"
        return f"{reason}: {lines[-1][-300:]}" if lines else reason


def run_program(command: Sequence[str], folder: Path, log: Path, seconds: float | None) -> Ended:
    """How a program ended; after `seconds` it is killed, and all that it started.

    Args:
        command: program and arguments; no shell sees them.
        folder: that it runs in.
        log: file for its words.
        seconds: None for no bound.

    Raises:
        RewardError: it cannot be started.
    """
    with log.open("wb") as out:
        try:
            process = subprocess.Popen(  # noqa: S603 - an argument list, no shell
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=folder,
                start_new_session=True,
                # Safe, because the server that calls this has one thread.
                preexec_fn=die_with_parent,
            )
        except OSError as error:
            raise RewardError(f"{command[0]} cannot be started: {error.strerror}") from error
        try:
            reason = _wait(process, seconds)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return Ended(reason, _tail(log))


def _wait(process: subprocess.Popen[bytes], seconds: float | None) -> str:
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        return f"no answer within {seconds:g} s"
    return "" if code == 0 else ending(code)


def _tail(log: Path) -> str:
    with log.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - MOST_LOG))
        return stream.read().decode("utf-8", "replace")
