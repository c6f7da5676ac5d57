"""A program that is started for each batch and reads SMILES, as REINVENT's external process does."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from fluvial.core.errors import RewardError
from fluvial.queue.jobs import Result
from fluvial.queue.worker import ShouldStop
from fluvial.rewards.answers import one_line, result_of
from fluvial.rewards.calls import finite_value
from fluvial.rewards.guard import BreakdownError, guarded
from fluvial.rewards.kept_process import BETWEEN_LOOKS_SECONDS, TAIL, ending

MOST_OUTPUT = 64_000_000
"""Bytes of the answer to one batch; arbitrary, far beyond any answer."""


class OneShotCommand:
    """An `Evaluator` that starts a program for each batch.

    It gets one object a line on stdin and writes one JSON object to stdout,
    `{"version": 1, "payload": {"name": [0.1, 0.2]}}`, with one number, or null, for each object in order.
    (REINVENT 4, `external_process` component.)

    Args:
        command: program and arguments; no shell sees them.
        timeout_seconds: for one batch; None for no bound.
        folder: that it runs in; None for the present one.
    """

    names_culprits = False

    def __init__(
        self, command: Sequence[str], timeout_seconds: float | None = None, folder: Path | None = None
    ) -> None:
        self._command = list(command)
        self._timeout = timeout_seconds
        self._folder = folder

    def evaluate(self, texts: Mapping[str, str], should_stop: ShouldStop) -> Iterator[tuple[str, Result]]:
        """See `Evaluator.evaluate`."""
        fits = {key: text for key, text in texts.items() if len(text.splitlines()) == 1 and text.strip()}
        for key in texts.keys() - fits.keys():
            yield key, Result(reason="the object is not one line of text, which this command needs")
        if fits:
            yield from guarded(self, fits, should_stop)

    def ask(
        self, texts: Mapping[str, str], one_by_one: bool, should_stop: ShouldStop
    ) -> Iterator[tuple[str, Result]]:
        """See `Asked.ask`.

        Raises:
            RewardError: the program cannot be started.
        """
        output = self._run("".join(f"{text}\n" for text in texts.values()), should_stop)
        if output is not None:
            yield from zip(texts, results_of_payload(output, len(texts)), strict=True)

    def close(self) -> None:
        """Nothing: no process outlives its batch."""

    def _run(self, text: str, should_stop: ShouldStop) -> bytes | None:
        """What the program wrote to stdout; None after a stop."""
        # Files instead of pipes: nothing can block, whoever reads and writes how much.
        with (
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            given.write(text.encode())
            given.seek(0)
            process = self._start(given, out, err)
            try:
                reason = self._wait(process, out, should_stop)
            finally:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            if should_stop():
                return None
            if reason is None and process.returncode == 0:
                out.seek(0)
                return out.read(MOST_OUTPUT)
            err.seek(max(0, err.seek(0, os.SEEK_END) - TAIL))
            lines = err.read().decode("utf-8", "replace").strip().splitlines()
            what = reason or ending(process.returncode)
            raise BreakdownError(one_line(f"{what}: {lines[-1][-300:]}" if lines else what))

    def _start(self, given: IO[bytes], out: IO[bytes], err: IO[bytes]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(  # noqa: S603 - an argument list, no shell
                self._command, stdin=given, stdout=out, stderr=err, cwd=self._folder, start_new_session=True
            )
        except OSError as error:
            raise RewardError(f"{self._command[0]} cannot be started: {error.strerror}") from error

    def _wait(self, process: subprocess.Popen[bytes], out: IO[bytes], should_stop: ShouldStop) -> str | None:
        """Why the program must be killed, or None after it ended or should stop."""
        deadline = float("inf") if self._timeout is None else time.monotonic() + self._timeout
        while not should_stop():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(BETWEEN_LOOKS_SECONDS)
                return None
            if time.monotonic() > deadline:
                return f"no answer within {self._timeout:g} s"
            if os.fstat(out.fileno()).st_size > MOST_OUTPUT:
                return f"wrote more than {MOST_OUTPUT} bytes"
        return None


def results_of_payload(output: bytes, count: int) -> list[Result]:
    """The results of `count` objects in the JSON that a program wrote.

    Raises:
        BreakdownError: it is not of the expected form, or has another number of values.
    """
    try:
        record = json.loads(output)
    except (ValueError, RecursionError) as error:
        raise BreakdownError("its output is not JSON") from error
    payload = record.get("payload") if isinstance(record, dict) else None
    if not isinstance(payload, dict) or not payload:
        raise BreakdownError('its output has no "payload" with lists of numbers by name')
    for name, column in payload.items():
        if not isinstance(column, list) or len(column) != count:
            found = len(column) if isinstance(column, list) else "no list of"
            raise BreakdownError(f"'{one_line(name)}': {found} values for {count} objects")
    rows = [{name: finite_value(column[row]) for name, column in payload.items()} for row in range(count)]
    return [result_of(row) for row in rows]
