"""`fluvial sample`: draw from a trained run."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer

from fluvial.cli.options import RunFolder
from fluvial.cli.output import say

EXAMPLES = """\
Examples:

fluvial sample runs/design -n 1000 -o new.csv

fluvial sample runs/design -n 50 --seed 7 -o new.sdf
"""


def sample(
    run: RunFolder,
    n: Annotated[int, typer.Option("-n", min=1, max=10_000_000, help="Objects to draw.")] = 1000,
    beta: Annotated[
        float | None, typer.Option(help="Sharpness to ask for, where the run learned several.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, metavar="S", help="The same seed draws the same; default: random."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="A .csv, .parquet, .sdf, .smi or .json file."),
    ] = None,
) -> None:
    """Draw new objects from the trained policy, score them, and write each different one once.

    The best come first; the column count says how often each was drawn. Without -o the table is printed.
    """
    from fluvial.cli.samples import summarise, term_names, text_name
    from fluvial.cli.tables import require_format, sampled_table, write_table
    from fluvial.train.launch import trained
    from fluvial.train.table import csv_text

    if output is not None:
        require_format(output)
    with trained(run) as source:
        seed = secrets.randbelow(2**31) if seed is None else seed
        objects = source.sample(n, seed, beta)
        config = source.config
    table = sampled_table(objects, text_name(config), term_names(config))
    if output is None:
        say(csv_text(table).removesuffix("\n"))
    else:
        write_table(output, table)
        say("\n".join([*summarise(objects, run).lines(), f"written to {output}, drawn with --seed {seed}"]))
