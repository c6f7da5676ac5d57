"""Which views a run gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluvial.cli.metrics_file import MetricsFile
from fluvial.cli.progress import JsonLines, Lines, View
from fluvial.cli.tensorboard import tensorboard_views
from fluvial.cli.wandb_view import wandb_views

if TYPE_CHECKING:
    from fluvial.config.run_config import RunConfig


def views_for(config: RunConfig, quiet: bool = False, as_json: bool = False) -> list[View]:
    """A live display on a terminal, else lines; the metrics file; and what else the configuration asks for.

    Raises:
        ConfigError: something is asked for that is not installed.
    """
    # The file comes before what reads it.
    return [*_for_reader(quiet, as_json), MetricsFile(), *optional_views(config)]


def optional_views(config: RunConfig) -> list[View]:
    """The views that the configuration asks for.

    Raises:
        ConfigError: one is not installed.
    """
    return [*tensorboard_views(config), *wandb_views(config)]


def _for_reader(quiet: bool, as_json: bool) -> list[View]:
    if as_json:
        return [JsonLines()]
    if quiet:
        return []
    from rich.console import Console

    from fluvial.cli.live import LiveDisplay

    console = Console()
    return [LiveDisplay(console)] if console.is_terminal else [Lines()]
