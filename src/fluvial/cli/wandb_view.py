"""Weights & Biases: a process beside the run sends what metrics.jsonl says, so that the run never waits."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import typer

from fluvial.cli.progress import Status
from fluvial.core.errors import ConfigError
from fluvial.train.run_directory import RunDirectory

if TYPE_CHECKING:
    from fluvial.config.run_config import RunConfig
    from fluvial.train.run import Run


class WandbView:
    """Starts the sender of a run and forgets it; it ends by itself after the run."""

    def __init__(self) -> None:
        self._sender: subprocess.Popen[bytes] | None = None

    def begin(self, run: Run, step: int) -> None:
        """Start the sender."""
        try:
            self._sender = start_sender(run.directory)
        except OSError as error:
            typer.echo(f"warning: nothing is sent to Weights & Biases: {error}", err=True)

    def step(self, status: Status) -> None:
        """The sender reads the step from the file."""

    def note(self, event: str, text: str) -> None:
        """The sender reads the event from the file."""

    def close(self) -> None:
        """The sender reads the end from the file, and takes the time that it needs."""
        if self._sender is not None:
            # Python would complain of a process that nobody waits for.
            self._sender.returncode = 0


def start_sender(directory: RunDirectory) -> subprocess.Popen[bytes]:
    """The process that sends what the metrics file of a run says from now on.

    Raises:
        OSError: it cannot be started.
    """
    directory.wandb.mkdir(exist_ok=True)
    offset = directory.metrics.stat().st_size
    command = [sys.executable, "-m", "fluvial.cli.wandb_sender", str(directory.path), str(offset)]
    with (directory.wandb / "sender.txt").open("ab") as log:
        return subprocess.Popen(  # noqa: S603
            [*command, str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the run
        )


def wandb_views(config: RunConfig) -> list[WandbView]:
    """The view that the configuration asks for, if it does.

    Raises:
        ConfigError: it does, and wandb is not installed.
    """
    if not config.log.wandb:
        return []
    if importlib.util.find_spec("wandb") is None:
        raise ConfigError(
            "log.wandb = true needs the package wandb, which is not installed: run"
            " pip install 'fluvial[wandb]', or set log.wandb = false"
        )
    return [WandbView()]
