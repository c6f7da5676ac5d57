"""`fluvial data prepare` and `fluvial data inspect`: libraries of building blocks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fluvial.cli.options import AsJson, Quiet
from fluvial.cli.output import say, say_json

if TYPE_CHECKING:
    from fluvial.data.preparing import Prepared

PREPARE_EXAMPLES = """\
Examples:

fluvial data prepare catalogue.csv -o blocks.library

fluvial data prepare shop.sdf other.smi -o blocks.library --templates hartenfeller-button --most-atoms 25

fluvial data prepare catalogue.csv -o blocks.library --price price_usd --supplier vendor --processes 2
"""

INSPECT_EXAMPLES = """\
Examples:

fluvial data inspect blocks.library

fluvial data inspect default --json
"""
COMMAS = "Separated by commas."


def prepare(  # noqa: PLR0913 - one for each option
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Catalogues: .csv, .tsv, .smi, .sdf or .parquet."),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The library to write.")],
    templates: Annotated[
        str, typer.Option(metavar="SET", help="default, hartenfeller-button, or a file of templates.")
    ] = "default",
    smiles: Annotated[str, typer.Option(metavar="COLUMN", help="Column of the molecules.")] = "smiles",
    identifier: Annotated[
        str | None, typer.Option("--id", metavar="COLUMN", help="Column of the catalogue's own names.")
    ] = None,
    supplier: Annotated[str | None, typer.Option(metavar="COLUMN", help="Column of suppliers.")] = None,
    price: Annotated[str | None, typer.Option(metavar="COLUMN", help="Column of prices.")] = None,
    least_atoms: Annotated[int, typer.Option(metavar="N", help="Fewest heavy atoms.")] = 1,
    most_atoms: Annotated[int, typer.Option(metavar="N", help="Most heavy atoms.")] = 40,
    elements: Annotated[
        str, typer.Option(metavar="LIST", help=f"Elements that may occur. {COMMAS}")
    ] = "B,Br,C,Cl,F,I,N,O,P,S,Si",
    stereo: Annotated[str, typer.Option(metavar="WHAT", help="strip or keep stereo marks.")] = "strip",
    processes: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="How many work at once; all processors if unset.")
    ] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Make a library of building blocks out of catalogues: cleaned, each once, matched with reactions.

    Salts are reduced to their largest part, charges are removed where that is possible, and what does not fit
    is left out and counted by reason. Work that was cut off goes on where it was; nothing is done if the
    library is up to date.
    """
    from fluvial.chem.synthesis.cleaning import Cleaning
    from fluvial.chem.synthesis.templates import load_templates
    from fluvial.data.preparing import CatalogueColumns, n_cores, prepare_library

    cleaning = Cleaning(
        least_atoms, most_atoms, tuple(symbol.strip() for symbol in elements.split(",")), stereo
    )
    prepared = prepare_library(
        files,
        output,
        load_templates(templates),
        CatalogueColumns(smiles, identifier, supplier, price),
        cleaning,
        processes or n_cores(),
        None if quiet or as_json else lambda n_rows: say(f"{n_rows} rows done"),
    )
    if as_json:
        say_json({"library": str(output), **vars(prepared)})
    elif not quiet:
        for line in report_lines(prepared, output):
            say(line)


def report_lines(prepared: Prepared, output: Path) -> list[str]:
    """What became of a catalogue, for people."""
    state = "" if prepared.is_new else "; it was up to date"
    lines = [f"{output}: {prepared.n_blocks} blocks of {prepared.n_rows} rows{state}"]
    if prepared.n_duplicates:
        lines.append(f"  {prepared.n_duplicates} rows hold a molecule that was there already")
    for what, rows in (("left out", prepared.dropped), ("remark", prepared.remarks)):
        lines += [f"  {what}: {count} {reason}, such as {'; '.join(shown)}" for reason, count, shown in rows]
    if prepared.n_matching_nothing:
        lines.append(f"  {prepared.n_matching_nothing} blocks fit no reaction")
    return lines


def inspect(
    library: Annotated[str, typer.Argument(metavar="LIBRARY", help="A library's file, or default.")],
    as_json: AsJson = False,
) -> None:
    """Say what a library holds, and what became of the rows that it was made of. Its content is checked."""
    found = described(library)
    if as_json:
        say_json(found)
        return
    say(f"{library}: {found['n_blocks']} blocks, {found['n_templates']} reactions, hash {found['hash']}")
    prices = found["prices"]
    if prices["known"]:
        say(f"  prices: {prices['known']} known, {prices['least']:g} to {prices['greatest']:g}")
    say(f"  bytes: {found['bytes']}" if found["bytes"] else "  packaged")
    for source in found["sources"]:
        say(f"  made of {source['name']}, SHA-256 {source['sha256']}")
    for reason, count, shown in found["dropped"]:
        say(f"  left out: {count} {reason}, such as {'; '.join(shown)}")
    for row in found["reactions"]:
        say(f"  {row['id']:28}{' + '.join(map(str, row['blocks'])):>18}  {row['name']}")
    if found["empty"]:
        say(f"  reactions without blocks for a reactant: {', '.join(found['empty'])}")


def described(name_or_path: str) -> dict[str, Any]:
    """What `fluvial data inspect` says, as plain values.

    Raises:
        DataError: the library cannot be used.
    """
    import numpy as np

    from fluvial.chem.synthesis.library_file import load_library, read_notes

    library = load_library(name_or_path)
    notes = {} if name_or_path == "default" else read_notes(name_or_path)
    known = library.prices[~np.isnan(library.prices)]
    reactions = [
        {
            "id": template.identifier,
            "name": template.name,
            "blocks": [len(library.blocks_for(number, p)) for p in range(template.n_reactants)],
        }
        for number, template in enumerate(library.templates)
    ]
    return {
        "n_blocks": len(library),
        "n_templates": len(library.templates),
        "hash": library.fingerprint,
        "bytes": 0 if name_or_path == "default" else Path(name_or_path).stat().st_size,
        "prices": {
            "known": len(known),
            "least": float(known.min()) if len(known) else None,
            "greatest": float(known.max()) if len(known) else None,
        },
        "sources": notes.get("sources", []),
        "cleaning": notes.get("cleaning", {}),
        "dropped": notes.get("report", {}).get("dropped", []),
        "reactions": reactions,
        "empty": _empty(reactions),
    }


def _empty(reactions: Sequence[dict[str, Any]]) -> list[str]:
    return [str(row["id"]) for row in reactions if 0 in row["blocks"]]
