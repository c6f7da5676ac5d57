"""`fluvial sample`: draw from a trained run."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer

from fluvial.cli.options import RunFolder, numbers_by_name
from fluvial.cli.output import say
from fluvial.core.errors import ConfigError

EXAMPLES = """\
Examples:

fluvial sample runs/design -n 1000 -o new.csv

fluvial sample runs/design -n 50 --seed 7 -o new.sdf

fluvial sample runs/made -n 100 --library other.library --routes routes.jsonl -o new.csv

fluvial sample runs/trade -n 100 --beta 64 --prefer qed=0.7,sa=0.3 -o new.csv
"""


def sample(  # noqa: PLR0913 - the options of a command
    run: RunFolder,
    n: Annotated[int, typer.Option("-n", min=1, max=10_000_000, help="Objects to draw.")] = 1000,
    beta: Annotated[
        float | None, typer.Option(help="Sharpness to ask for, where the run learned several.")
    ] = None,
    prefer: Annotated[
        str | None,
        typer.Option(metavar="TERM=W,...", help="Weight of each reward term; 0 for those left out."),
    ] = None,
    focus: Annotated[
        str | None,
        typer.Option(metavar="TERM=D,...", help="Direction to aim for in the space of the reward terms."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(metavar="NAME=V,...", help="Values of properties that the run learned to meet."),
    ] = None,
    log_z: Annotated[
        float | None, typer.Option(help="Log Z to ask for, where the run was told several.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, metavar="S", help="The same seed draws the same; default: random."),
    ] = None,
    library: Annotated[
        str | None,
        typer.Option(metavar="LIBRARY", help="Other building blocks, with the same reactions as the run's."),
    ] = None,
    routes: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to write how each molecule was made, one JSON a line."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="A .csv, .parquet, .sdf, .smi or .json file."),
    ] = None,
) -> None:
    """Draw new objects from the trained policy, score them, and write each different one once.

    The best come first; the column count says how often each was drawn. Without -o the table is printed.
    """
    from fluvial.cli.design import write_routes
    from fluvial.cli.samples import summarise, text_name
    from fluvial.cli.tables import require_format, require_place, sampled_table, write_table
    from fluvial.train.asking import Wish
    from fluvial.train.launch import trained
    from fluvial.train.table import csv_text

    if output is not None:
        require_format(output)
    if routes is not None:
        require_place(routes)
    with trained(run, library=library) as source:
        if routes is not None and source.config.env.kind != "synthesis":
            raise ConfigError(
                f"--routes: the environment of {run} is '{source.config.env.kind}', which makes no syntheses;"
                " leave it out"
            )
        seed = secrets.randbelow(2**31) if seed is None else seed
        wish = Wish(
            beta,
            numbers_by_name("--prefer", prefer),
            numbers_by_name("--focus", focus),
            numbers_by_name("--target", target),
            log_z,
        )
        drawn = source.draw(n, seed, wish)
        config = source.config
    if routes is not None:
        write_routes(routes, drawn.routes)
    for warning in drawn.warnings:
        typer.echo(f"warning: {warning}", err=True)
    table = sampled_table(drawn.objects, text_name(config), config.term_names, drawn.asked)
    if output is None:
        say(csv_text(table).removesuffix("\n"))
    else:
        write_table(output, table)
        summary = summarise(drawn.objects, run).lines("molecules" if config.is_molecular else "objects")
        say("\n".join([*summary, f"written to {output}, drawn with --seed {seed}"]))
