"""A program that is kept running and answers lines of JSON with lines of JSON."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fluvial.core.errors import RewardError
from fluvial.queue.jobs import Result
from fluvial.queue.worker import ShouldStop
from fluvial.rewards.answers import (
    LONGEST_LINE,
    Answered,
    Fatal,
    Line,
    Noise,
    Ready,
    Started,
    one_line,
    parse_line,
)
from fluvial.rewards.guard import BreakdownError, guarded

START_SECONDS = 120.0
"""Time to load that a new process gets on top of its first answer; arbitrary, enough for large models."""
TAIL = 2000
"""Bytes of what a process wrote to stderr that are kept for the reason; arbitrary."""
BETWEEN_LOOKS_SECONDS = 0.1
"""How soon a request to stop is noticed; arbitrary."""


class KeptProcess:
    """An `Evaluator` that keeps a program running, and starts it again after it died or was killed.

    One line with a batch goes to its stdin, `{"objects": {"7": "CCO"}, "one_by_one": false}`; one line for
    each object is read from its stdout, see `answers.parse_line`. Other lines are ignored. After
    `timeout_seconds` without an answer the program and all that it started are killed.

    Args:
        command: program and arguments; no shell sees them.
        timeout_seconds: longest silence; None for no bound.
        names_culprits: whether it says `started` for each object where it is asked to go one by one.
        folder: that it runs in; None for the present one.
        start_seconds: time to load that a new process gets, until it says `ready` or answers.

    Raises:
        RewardError: it cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        timeout_seconds: float | None = None,
        names_culprits: bool = False,
        folder: Path | None = None,
        start_seconds: float = START_SECONDS,
    ) -> None:
        self.names_culprits = names_culprits
        self._command = list(command)
        self._timeout = timeout_seconds
        self._folder = folder
        self._start_seconds = start_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ready = False
        self._n_requests = 0
        self._rest = b""
        self._tail = b""
        self._noise = ""
        self._start()

    def evaluate(self, texts: Mapping[str, str], should_stop: ShouldStop) -> Iterator[tuple[str, Result]]:
        """See `Evaluator.evaluate`."""
        return guarded(self, texts, should_stop)

    def ask(
        self, texts: Mapping[str, str], one_by_one: bool, should_stop: ShouldStop
    ) -> Iterator[tuple[str, Result]]:
        """See `Asked.ask`.

        Raises:
            RewardError: the program says that it will never work, or cannot be started.
        """
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._start()
        # Numbers that no earlier request had, so that what is left of its answers is not taken for these.
        self._n_requests += 1
        names = {f"{self._n_requests}-{key}": key for key in texts}
        objects = {name: texts[key] for name, key in names.items()}
        request = json.dumps({"objects": objects, "one_by_one": one_by_one}).encode() + b"\n"
        left, current = set(names), None
        for line in self._talk(request, should_stop):
            match line:
                case Answered(key, result) if key in left:
                    left.discard(key)
                    current = None
                    yield names[key], result
                    if not left:
                        return
                case Started(key) if key in left:
                    current = names[key]
                case Fatal(reason):
                    self.close()
                    raise RewardError(reason)
                case BreakdownError():
                    raise BreakdownError(line.reason, current)
                case _:
                    pass
        self.close()

    def close(self) -> None:
        """Kill the program and all that it started."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()

    def _start(self) -> None:
        try:
            process = subprocess.Popen(  # noqa: S603 - an argument list, no shell
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                cwd=self._folder,
                start_new_session=True,
            )
        except OSError as error:
            raise RewardError(f"{self._command[0]} cannot be started: {error.strerror}") from error
        for pipe in (process.stdin, process.stdout, process.stderr):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
        self._process, self._is_ready = process, False
        self._rest = self._tail = b""

    def _talk(self, request: bytes, should_stop: ShouldStop) -> Iterator[Line | BreakdownError]:
        """Lines until the caller has enough; a breakdown as the last one; nothing more after a stop."""
        process, to_send = self._process, memoryview(request)
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        deadline = self._deadline()
        with selectors.DefaultSelector() as selector:
            for pipe, events in (
                (process.stdin, selectors.EVENT_WRITE),
                (process.stdout, selectors.EVENT_READ),
                (process.stderr, selectors.EVENT_READ),
            ):
                selector.register(pipe, events)
            while not should_stop():
                if time.monotonic() > deadline:
                    self.close()
                    yield BreakdownError(self._said(f"no answer within {self._timeout:g} s"))
                    return
                for key, _ in selector.select(BETWEEN_LOOKS_SECONDS):
                    if key.fileobj is process.stdin:
                        to_send = _send(key.fd, to_send)
                        if not to_send:
                            selector.unregister(process.stdin)
                    elif key.fileobj is process.stderr:
                        data = os.read(key.fd, 65536)
                        self._tail = (self._tail + data)[-TAIL:]
                        if not data:
                            selector.unregister(process.stderr)
                    else:
                        data = os.read(key.fd, 65536)
                        if not data or len(self._rest) > LONGEST_LINE:
                            yield self._end(bool(data))
                            return
                        for line in self._lines(data):
                            if isinstance(line, Answered | Started | Ready):
                                self._is_ready = True
                                deadline = self._deadline()
                            yield line

    def _deadline(self) -> float:
        if self._timeout is None:
            return float("inf")
        return time.monotonic() + self._timeout + (0.0 if self._is_ready else self._start_seconds)

    def _lines(self, data: bytes) -> Iterator[Line]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for text in lines:
            line = parse_line(text)
            if isinstance(line, Noise) and line.text:
                self._noise = line.text
            yield line

    def _end(self, is_talkative: bool) -> BreakdownError:
        process = self._process
        assert process is not None
        if is_talkative:
            self.close()
            return BreakdownError(f"wrote a line of more than {LONGEST_LINE} bytes")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1.0)
        self._read_tail(process)
        self.close()
        return BreakdownError(self._said(ending(process.returncode)))

    def _read_tail(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        with contextlib.suppress(OSError):
            while data := os.read(process.stderr.fileno(), 65536):
                self._tail = (self._tail + data)[-TAIL:]

    def _said(self, what: str) -> str:
        """A reason with the last line that the program wrote."""
        lines = [line for line in self._tail.decode("utf-8", "replace").splitlines() if line.strip()]
        last = lines[-1] if lines else self._noise
        return one_line(f"{what}: {last[-300:]}" if last else what)


def ending(code: int | None) -> str:
    """How a process ended, in words."""
    if code is None:
        return "closed its output"
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"ended with {signal.Signals(-code).name}"
    except ValueError:
        return f"ended with signal {-code}"


def _send(descriptor: int, data: memoryview) -> memoryview:
    """What is left to send; nothing once nobody reads any more, which the end of stdout will tell."""
    try:
        return data[os.write(descriptor, data[:65536]) :]
    except BlockingIOError:
        return data
    except BrokenPipeError:
        return data[len(data) :]
