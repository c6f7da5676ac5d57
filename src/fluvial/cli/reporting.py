"""`fluvial report`: a page about a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fluvial.cli.options import RunFolder
from fluvial.cli.output import say

EXAMPLES = """\
Examples:

fluvial report runs/design

fluvial report runs/design -n 50 -o best.html
"""


def report(
    run: RunFolder,
    n: Annotated[int, typer.Option("-n", min=1, max=10_000, help="Molecules on the page.")] = 200,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="By default report.html in the run's folder."),
    ] = None,
) -> None:
    """Write one HTML file with the best molecules, the course of training and the configuration.

    It holds everything inside and needs no network. A run that is still going can be looked at too.
    """
    from fluvial.report.run_page import write_run_page

    say(str(write_run_page(run, n, output)))
