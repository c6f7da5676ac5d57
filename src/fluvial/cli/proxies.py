"""`fluvial proxy`: predictors that are learned from a file."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from fluvial.cli.options import AsJson, Quiet
from fluvial.cli.output import aligned, say, say_json

TRAIN_EXAMPLES = """\
Examples:

fluvial proxy train measured.csv --target gap --unit eV -o gap.safetensors

fluvial proxy train actives.csv --model forest --target active -o active.safetensors

fluvial proxy train dsgdb9nsd.xyz.tar.bz2 --target gap -o gap.safetensors --epochs 100
"""

SHOW_EXAMPLES = """\
Examples:

fluvial proxy show gap.safetensors

fluvial proxy show active.safetensors --html active.html
"""


class Model(StrEnum):
    """What learns."""

    mxmnet = "mxmnet"
    forest = "forest"


class Task(StrEnum):
    """What is learned."""

    auto = "auto"
    regression = "regression"
    classification = "classification"


class SplitKind(StrEnum):
    """What is held out."""

    scaffold = "scaffold"
    random = "random"


def train(  # noqa: PLR0913 - each is an option of the command line
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A .csv, .parquet, .smi or .sdf file, or the archive of QM9."),
    ],
    target: Annotated[str, typer.Option(metavar="NAME", help="Column or data item to learn.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The file to write.")],
    model: Annotated[
        Model, typer.Option(help="mxmnet reads molecules in space, forest their fingerprints.")
    ] = Model.mxmnet,
    unit: Annotated[str, typer.Option(metavar="UNIT", help="Unit of the target, to be kept with it.")] = "",
    column: Annotated[str, typer.Option(metavar="NAME", help="Column of the SMILES in a table.")] = "smiles",
    most: Annotated[int | None, typer.Option(min=10, help="Most molecules to read.")] = None,
    task: Annotated[
        Task, typer.Option(help="Of a forest; auto: classes if all numbers are 0 or 1.")
    ] = Task.auto,
    split: Annotated[SplitKind, typer.Option(help="Of a forest: what is held out.")] = SplitKind.scaffold,
    trees: Annotated[int, typer.Option(min=10, max=10_000, help="Of a forest.")] = 200,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the molecules; of mxmnet.")] = 60,
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Longest time for learning; of mxmnet.")
    ] = None,
    width: Annotated[int, typer.Option(min=4, help="Width of mxmnet.")] = 32,
    layers: Annotated[int, typer.Option(min=1, help="Layers of mxmnet.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the split and of all that is drawn.")] = 0,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Fit a predictor to a column of numbers or classes, and write it as one file.

    mxmnet is a network of molecules in space, forest a random forest on fingerprints, which also says how
    sure it is.

    A tenth of the molecules is held out for the errors that are printed, and another tenth chooses the epoch
    or calibrates. Use the file as a term of a reward: kind = "learned", file = "gap.safetensors".
    """
    from fluvial.train.proxy import ProxyExamples

    examples = ProxyExamples(file, target, unit, column, most)
    if model is Model.forest:
        from fluvial.predictors.fingerprint_fit import ForestSettings
        from fluvial.train.fingerprint_proxy import train_forest

        how = ForestSettings(trees=trees, by_scaffold=split is SplitKind.scaffold, seed=seed)
        card = train_forest(examples, output, task.value, how)
    else:
        from fluvial.predictors.fitting import FitSettings
        from fluvial.predictors.mxmnet import MxmnetSettings
        from fluvial.train.proxy import train_proxy

        def told(epoch: int, loss: float, error: float) -> None:
            if as_json:
                say_json({"event": "epoch", "epoch": epoch, "loss": loss, "error": error})
            elif not quiet:
                say(f"epoch {epoch:4}   loss {loss:.4f}   error {error:.4g} {unit}".rstrip())

        card = train_proxy(
            examples,
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
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write a page, with a chart of the calibration.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a learned predictor predicts, for which molecules, and how well."""
    from fluvial.predictors.card import read_card

    card = read_card(file)
    if as_json:
        say_json(card)
    else:
        say(aligned(card_rows(card)))
    if html is not None:
        from fluvial.report.proxy_page import write_proxy_page

        write_proxy_page(card, card_rows(card), html)


def card_rows(card: dict[str, Any]) -> list[tuple[str, str]]:
    """What is known of a predictor, for people."""
    unit = card["unit"]
    return [
        ("predicts", f"{card['target']}{f' in {unit}' if unit else ''}"),
        *KINDS[card["network"]](card),
        ("learned from", f"{card['n_train']} of {card['n_molecules']} molecules of {card['file']}"),
        ("held out", f"{card['n_held_out']} molecules"),
        *(
            _class_rows(card["errors"])
            if card.get("task") == "classification"
            else _number_rows(card["errors"])
        ),
        *_coverage_rows(card),
    ]


def _mxmnet_rows(card: dict[str, Any]) -> list[tuple[str, str]]:
    from rdkit.Chem import GetPeriodicTable

    table = GetPeriodicTable()
    return [("elements", " ".join(table.GetElementSymbol(one) for one in card["settings"]["elements"]))]


def _forest_rows(card: dict[str, Any]) -> list[tuple[str, str]]:
    bits, radius = card["settings"]["n_bits"], card["settings"]["radius"]
    words = (
        f"{card['task']} by {card['trees']} trees on {bits} counts of neighbourhoods up to radius {radius}"
    )
    return [("method", words), ("split", f"{card['split']}, seed {card['seed']}")]


def _number_rows(errors: dict[str, float]) -> list[tuple[str, str]]:
    return [
        ("mean absolute error", f"{errors['mae']:.4g}; always saying the mean: {errors['mae_of_mean']:.4g}"),
        ("root mean square error", f"{errors['rmse']:.4g}"),
        ("R2", f"{errors['r2']:.3f}"),
    ]


def _class_rows(errors: dict[str, float]) -> list[tuple[str, str]]:
    return [
        ("ROC AUC", f"{errors['roc_auc']:.3f}"),
        ("Brier score", f"{errors['brier']:.4g}; always saying the share: {errors['brier_of_mean']:.4g}"),
        ("calibration error", f"{errors['calibration_error']:.3f}"),
    ]


def _coverage_rows(card: dict[str, Any]) -> list[tuple[str, str]]:
    shares = card.get("coverage", {})
    found = [
        f"{100 * shares[level]:.0f} % of {100 * float(level):.0f} %"
        for level in ("0.5", "0.8", "0.95")
        if level in shares
    ]
    return [("inside intervals", ", ".join(found))] if found else []


KINDS = {"mxmnet": _mxmnet_rows, "forest": _forest_rows}
"""Network to what is particular to it."""
