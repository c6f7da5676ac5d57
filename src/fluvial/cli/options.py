"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="Keys of the configuration to set, as algo.batch=32."),
]
ConfigFile = Annotated[Path, typer.Argument(metavar="FILE", help="Configuration file, TOML or JSON.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")]
Steps = Annotated[int | None, typer.Option(min=1, help="Training steps in all.")]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="New or empty folder for the run.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line, for programs.")]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="The same seed draws the same objects.")]
Rewards = Annotated[
    list[str] | None,
    typer.Option(
        "--reward",
        metavar="REWARD",
        help="What is good: names of properties and functions file.py:function joined by *. "
        "Given several times, all are multiplied.",
    ),
]
