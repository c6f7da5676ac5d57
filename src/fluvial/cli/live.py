"""The display of a run on a terminal: bar, times, numbers and the best objects so far."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from fluvial.cli.output import duration
from fluvial.cli.progress import Status, metric_texts

if TYPE_CHECKING:
    from fluvial.train.run import Run

SECONDS_BETWEEN_PICTURES = 0.2
"""Building a picture costs a fraction of a millisecond; five a second look smooth."""


class LiveDisplay:
    """Redraws one block of lines at the end of the terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False)
        self._drawn = 0.0
        self._last: Status | None = None

    def begin(self, run: Run, step: int) -> None:
        """Take the end of the terminal."""
        self._live.start()

    def step(self, status: Status) -> None:
        """Redraw, unless that was done a moment ago."""
        self._last = status
        if time.monotonic() - self._drawn >= SECONDS_BETWEEN_PICTURES:
            self._draw(status)

    def note(self, event: str, text: str) -> None:
        """Print warnings above the block."""
        if event != "checkpoint":
            self._console.print(Text(text))

    def close(self) -> None:
        """Leave the last picture on the terminal."""
        if self._last is not None:
            self._draw(self._last)
        self._live.stop()

    def _draw(self, status: Status) -> None:
        self._drawn = time.monotonic()
        self._live.update(picture(status), refresh=True)


def picture(status: Status) -> RenderableType:
    """The block of lines for a status."""
    bar = Table.grid(padding=(0, 2))
    bar.add_row(
        Text(status.name, style="bold"),
        f"step {status.step}/{status.steps}",
        ProgressBar(total=status.steps, completed=status.step, width=24),
        f"{100 * status.step // status.steps}%",
        f"{duration(status.seconds_left)} left",
    )
    shares = " ".join(f"{part} {100 * share:.0f}%" for part, share in status.shares.items())
    speed = f"{status.device}  {status.steps_per_second:.1f} steps/s  ({shares})"
    best = [Text(f"{reward:.4f}  {text}", no_wrap=True, overflow="ellipsis") for reward, text in status.best]
    return Group(bar, Text(speed), Text("  ".join(metric_texts(status.metrics))), *best)
