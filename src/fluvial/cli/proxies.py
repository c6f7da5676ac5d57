"""`fluvial proxy`: predictors that are learned from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fluvial.cli.options import AsJson, Quiet
from fluvial.cli.output import aligned, say, say_json

TRAIN_EXAMPLES = """\
Examples:

fluvial proxy train measured.csv --target gap --unit eV -o gap.safetensors

fluvial proxy train dsgdb9nsd.xyz.tar.bz2 --target gap -o gap.safetensors --epochs 100
"""

SHOW_EXAMPLES = """\
Example:

fluvial proxy show gap.safetensors
"""


def train(  # noqa: PLR0913 - each is an option of the command line
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A .csv, .parquet, .smi or .sdf file, or the archive of QM9."),
    ],
    target: Annotated[str, typer.Option(metavar="NAME", help="Column or data item to learn.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The file to write.")],
    unit: Annotated[str, typer.Option(metavar="UNIT", help="Unit of the target, to be kept with it.")] = "",
    column: Annotated[str, typer.Option(metavar="NAME", help="Column of the SMILES in a table.")] = "smiles",
    most: Annotated[int | None, typer.Option(min=10, help="Most molecules to read.")] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the molecules.")] = 60,
    minutes: Annotated[float | None, typer.Option(min=0.01, help="Longest time for learning.")] = None,
    width: Annotated[int, typer.Option(min=4, help="Width of the network.")] = 32,
    layers: Annotated[int, typer.Option(min=1, help="Layers of the network.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the split, the weights and the order.")] = 0,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Fit MXMNet, a network of molecules in space, to a column of numbers, and write it as one file.

    A tenth of the molecules is held out for the errors that are printed; another tenth chooses the epoch. Use
    the file as a term of a reward: kind = "learned", file = "gap.safetensors".
    """
    import math

    from fluvial.predictors.fitting import FitSettings
    from fluvial.predictors.mxmnet import MxmnetSettings
    from fluvial.train.proxy import ProxyExamples, train_proxy

    def told(epoch: int, loss: float, error: float) -> None:
        if as_json:
            say_json({"event": "epoch", "epoch": epoch, "loss": loss, "error": error})
        elif not quiet:
            say(f"epoch {epoch:4}   loss {loss:.4f}   error {error:.4g} {unit}".rstrip())

    card = train_proxy(
        ProxyExamples(file, target, unit, column, most),
        output,
        MxmnetSettings(width=width, layers=layers),
        FitSettings(epochs=epochs, seed=seed, minutes=math.inf if minutes is None else minutes),
        told,
    )
    if as_json:
        say_json({"event": "done", "file": str(output), **card})
    elif not quiet:
        say(aligned([*card_rows(card), ("written", str(output))]))


def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of `fluvial proxy train`.")],
    as_json: AsJson = False,
) -> None:
    """Say what a learned predictor predicts, for which elements, and how well."""
    from fluvial.predictors.card import read_card

    card = read_card(file)
    if as_json:
        say_json(card)
    else:
        say(aligned(card_rows(card)))


def card_rows(card: dict[str, Any]) -> list[tuple[str, str]]:
    """What is known of a predictor, for people."""
    from rdkit.Chem import GetPeriodicTable

    table, errors, unit = GetPeriodicTable(), card["errors"], card["unit"]
    elements = " ".join(table.GetElementSymbol(element) for element in card["settings"]["elements"])
    return [
        ("predicts", f"{card['target']}{f' in {unit}' if unit else ''}"),
        ("elements", elements),
        ("learned from", f"{card['n_train']} of {card['n_molecules']} molecules of {card['file']}"),
        ("held out", f"{card['n_held_out']} molecules"),
        ("mean absolute error", f"{errors['mae']:.4g}; always saying the mean: {errors['mae_of_mean']:.4g}"),
        ("root mean square error", f"{errors['rmse']:.4g}"),
        ("R2", f"{errors['r2']:.3f}"),
    ]
