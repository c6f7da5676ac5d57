"""Every error that a user can meet, each with its cause, its remedy and its exit code."""

from __future__ import annotations

from typing import Any


class FluvialError(Exception):
    """Root of all errors raised on purpose. The message names the value, the place and the remedy."""

    exit_code = 1


class ConfigError(FluvialError):
    """A configuration key is unknown, missing, contradictory or out of range. Correct the named line."""

    exit_code = 2


class DataError(FluvialError):
    """A file (vocabulary, molecules, table) cannot be read as asked. Correct the named rows."""

    exit_code = 2


class RewardError(FluvialError):
    """A reward function cannot be loaded or breaks its contract as a whole. Correct the named file."""

    exit_code = 2


class FailedRunError(FluvialError):
    """Rewards stopped answering during a run. The run is saved: mend the reward and resume."""


class StoppedError(FluvialError):
    """A signal ended the run after it was saved. Continue with `fluvial resume`."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class AssetError(FluvialError):
    """A named public file is not in the local folder or cache and could not be downloaded, or is damaged."""

    exit_code = 2


class ResumeError(FluvialError):
    """A run cannot be continued as asked: another configuration, or no intact checkpoint."""

    exit_code = 4


class StorageError(FluvialError):
    """A folder or file cannot be written, is locked by another process, or is not one of ours."""

    exit_code = 5


class IllegalActionError(FluvialError):
    """An action that the environment's mask forbids was asked for. Data do not fit the environment."""


class WorkerError(FluvialError):
    """A worker process cannot be started, or ended again and again at the same work, which the message
    names. Leave that out, or give the processes more memory."""


class NonFiniteLossError(FluvialError):
    """The loss became NaN or infinite. The batch is saved; the message names the cause."""

    def __init__(self, message: str, batch: dict[str, list[Any]]) -> None:
        super().__init__(message)
        self.batch = batch
