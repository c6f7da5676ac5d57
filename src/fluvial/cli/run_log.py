"""The log of a run: what it prints, with the time, in its folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fluvial.core.errors import FluvialError
from fluvial.core.files import storage_error
from fluvial.core.plain import masked
from fluvial.train.run_directory import RunDirectory


class _LogFile(logging.FileHandler):
    """A full disk must not end a run through its log; what the run itself cannot write is reported."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        """Leave out what cannot be written."""


class RunLog:
    """Writes to the log of a run once it is attached to one; before, what it is told is dropped."""

    def __init__(self) -> None:
        self._logger = logging.Logger("fluvial")
        # Without any handler logging would print to stderr.
        self._logger.addHandler(logging.NullHandler())
        self._handler: _LogFile | None = None

    @property
    def is_attached(self) -> bool:
        """Whether there is a file to write to."""
        return self._handler is not None

    def attach(self, directory: RunDirectory) -> None:
        """Append to the log of the run in `directory` from now on.

        Raises:
            StorageError: the file cannot be opened.
        """
        try:
            self._handler = _LogFile(directory.log, encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise storage_error(error, directory.log) from error
        self._handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        self._logger.addHandler(self._handler)

    def info(self, text: str) -> None:
        """Add a line."""
        self._logger.info("%s", text)

    def warning(self, text: str) -> None:
        """Add a line about something that is not as it should be."""
        self._logger.warning("%s", text)

    def error(self, text: str, trace: BaseException | None = None) -> None:
        """Add a line about what ended the run, with the trace of an exception where one is given."""
        self._logger.error("%s", text, exc_info=trace)

    def close(self) -> None:
        """Close the file."""
        if self._handler is not None:
            self._handler.close()


@contextmanager
def run_log(folder: Path) -> Iterator[RunLog]:
    """A log for the run that is about to be started or continued in `folder`.

    What ends the block is written down, the unexpected with its trace and a note on where that is. A run that
    was there before is left alone until the log is attached to it.
    """
    directory, log = RunDirectory(folder), RunLog()
    is_new = not directory.marker.exists()
    try:
        yield log
    except BaseException as error:
        if not log.is_attached and is_new and directory.marker.exists():
            log.attach(directory)
        if isinstance(error, FluvialError):
            log.error(masked(str(error)))
        elif isinstance(error, Exception):
            log.error("unexpected error", error)
            if log.is_attached:
                error.add_note(f"The trace is in {directory.log}.")
        raise
    finally:
        log.close()
