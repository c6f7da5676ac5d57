"""Interrupts that let the current step end and the run be saved."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from fluvial.core.errors import StoppedError

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 75}
"""Interrupted and saved; pre-empted and saved."""


class StopSignals:
    """Catches SIGINT and SIGTERM while in use; a second signal ends the process at once.

    Only the main thread can catch signals; in another one nothing is caught.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._receive) for number in EXIT_CODES}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number)
        for known in EXIT_CODES:
            signal.signal(known, signal.SIG_DFL)

    def raise_if_received(self, path: Path, step: int) -> None:
        """Say how to continue.

        Raises:
            StoppedError: a signal was received.
        """
        if self.received is not None:
            raise StoppedError(
                f"stopped by {self.received.name} after step {step}; everything is saved. Continue with:"
                f" fluvial resume {path}",
                EXIT_CODES[self.received],
            )
