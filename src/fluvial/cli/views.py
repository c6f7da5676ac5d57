"""Which views a run gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fluvial.cli.progress import JsonLines, Lines, View
from fluvial.cli.tensorboard import tensorboard_views

if TYPE_CHECKING:
    from fluvial.config.run_config import RunConfig


def views_for(config: RunConfig, quiet: bool = False, as_json: bool = False) -> list[View]:
    """A live display on a terminal, else lines; and TensorBoard where it is asked for.

    Raises:
        ConfigError: TensorBoard is asked for and not installed.
    """
    return [*_for_reader(quiet, as_json), *tensorboard_views(config)]


def _for_reader(quiet: bool, as_json: bool) -> list[View]:
    if as_json:
        return [JsonLines()]
    if quiet:
        return []
    from rich.console import Console

    from fluvial.cli.live import LiveDisplay

    console = Console()
    return [LiveDisplay(console)] if console.is_terminal else [Lines()]
