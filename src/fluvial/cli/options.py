"""Arguments and options that several commands share."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from fluvial.core.errors import ConfigError

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
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers", min=0, metavar="N", help="Workers started on this machine for queued reward terms."
    ),
]
Rewards = Annotated[
    list[str] | None,
    typer.Option(
        "--reward",
        metavar="REWARD",
        help="What is good: names of properties and functions file.py:function joined by *. "
        "Given several times, all are multiplied.",
    ),
]


def numbers_by_name(option: str, text: str | None) -> dict[str, float] | None:
    """The numbers in "qed=0.7,sa=0.3"; None where nothing was said.

    Raises:
        ConfigError: the text is of another form.
    """
    if text is None:
        return None
    numbers: dict[str, float] = {}
    for part in text.split(","):
        name, equals, number = part.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not equals or not name.strip() or not math.isfinite(value) or name.strip() in numbers:
            raise ConfigError(f"{option} '{text}': expected numbers by different names, as qed=0.7,sa=0.3")
        numbers[name.strip()] = value
    return numbers
