"""`fluvial routes`: how molecules are made."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fluvial.cli.options import AsJson
from fluvial.cli.output import say
from fluvial.core.errors import ConfigError

if TYPE_CHECKING:
    from fluvial.chem.synthesis.routes import Route
    from fluvial.chem.synthesis.search import RouteSearch

EXAMPLES = """\
Examples:

fluvial routes runs/design --top 5

fluvial routes runs/design -o routes.csv --each 10

fluvial routes --smiles "O=C(c1ccccc1)N1CCOCC1" --library default -o pictures.html

fluvial routes --smiles "CC(=O)Oc1ccccc1C(=O)O" --library blocks.library --most-reactions 2 --json
"""


def routes(  # noqa: PLR0913 - one for each option
    run: Annotated[Path | None, typer.Argument(metavar="RUN", help="Folder of a run.")] = None,
    smiles: Annotated[
        list[str] | None,
        typer.Option(metavar="SMILES", help="A molecule to make; may be given often."),
    ] = None,
    library: Annotated[
        str | None, typer.Option(metavar="LIBRARY", help="default or a library's file; by default the run's.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, metavar="N", help="Best molecules of the run.")] = 10,
    each: Annotated[int, typer.Option(min=1, metavar="N", help="Routes shown of each molecule.")] = 3,
    most_reactions: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Longest routes; the run's limit, or 3.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0, help="Longest search for one molecule.")] = 10.0,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="A .csv, .parquet, .json, .txt, .svg, .html file."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Search the syntheses of molecules: of a run's best, or of any that you name.

    Routes are made of the library's blocks and reactions. Each was run forward, so it gives the molecule.
    They are sorted by the number of reactions, then by the price of the blocks.
    """
    write = None if output is None else _writer(output)
    search, texts = _asked(run, smiles, library, top, most_reactions)
    found: list[Route] = []
    for text in texts:
        result = search.routes(text, seconds=seconds)
        found += result.routes[:each]
        if not as_json and output is None:
            _show(text, result.routes[:each], len(result.routes), result.is_complete)
        elif as_json and not result.routes:
            say(json.dumps({"product": text, "route": None, "is_complete": result.is_complete}))
        elif as_json:
            _say_json(result.routes[:each])
    if write is not None and output is not None:
        write(output, found)
        n_made = len({route.product for route in found})
        say(f"{len(found)} routes of {n_made} of {len(texts)} molecules written to {output}")


def _asked(
    run: Path | None,
    smiles: Sequence[str] | None,
    library: str | None,
    top: int,
    most_reactions: int | None,
) -> tuple[RouteSearch, list[str]]:
    """Where to search, and for which molecules."""
    from fluvial.chem.molecules import parse_smiles
    from fluvial.chem.synthesis.library_file import load_library
    from fluvial.chem.synthesis.retro import Disconnections
    from fluvial.chem.synthesis.search import RouteSearch
    from fluvial.queue.store import Store
    from fluvial.train.routes import route_search
    from fluvial.train.run_directory import RunDirectory

    if run is None and (smiles is None or library is None):
        raise ConfigError("name a run, or a molecule with --smiles and where to search with --library.")
    for text in smiles or ():
        parse_smiles(text)
    directory = None if run is None else RunDirectory.open_existing(run)
    if library is not None:
        most = 3 if most_reactions is None else most_reactions
        search = RouteSearch(Disconnections(load_library(library)), most)
    elif directory is not None:
        search = route_search(directory, most_reactions)
    if smiles is not None or directory is None:
        return search, list(smiles or ())
    with Store.open(directory.store) as store:
        best = [item.text for item in store.candidates(top) if item.text and item.reward is not None]
    return search, best


def _show(text: str, shown: Sequence[Route], n_found: int, is_complete: bool) -> None:
    from fluvial.chem.synthesis.routes import as_text

    if not shown:
        why = "" if is_complete else " before the search was given up"
        say(f"{text}  (no route found{why})")
        return
    for route in shown:
        say(as_text(route))
    more = "" if is_complete else "at least "
    say(f"  {more}{n_found} routes in all")


def _say_json(shown: Sequence[Route]) -> None:
    from fluvial.chem.synthesis.routes import as_json

    for route in shown:
        say(as_json(route))


def _writer(output: Path) -> Callable[[Path, Sequence[Route]], None]:
    ending = output.suffix.lower()
    if ending not in WRITERS:
        raise ConfigError(f"routes are not written to '{output}'; name a file in {', '.join(WRITERS)}.")
    return WRITERS[ending]


def _as_table(path: Path, found: Sequence[Route]) -> None:
    from fluvial.chem.synthesis.routes import ROW_COLUMNS, as_rows
    from fluvial.cli.tables import write_table

    rows = list(as_rows(found))
    write_table(path, {name: [row.get(name) for row in rows] for name in ROW_COLUMNS})


def _as_lines(path: Path, found: Sequence[Route]) -> None:
    from fluvial.chem.synthesis.routes import as_text
    from fluvial.core.files import write_bytes_atomic

    write_bytes_atomic(path, ("\n".join(map(as_text, found)) + "\n").encode())


def _as_json_file(path: Path, found: Sequence[Route]) -> None:
    from fluvial.chem.synthesis.routes import as_json
    from fluvial.core.files import write_bytes_atomic

    content = [json.loads(as_json(route)) for route in found]
    write_bytes_atomic(path, json.dumps(content, indent=1, ensure_ascii=False).encode())


def _as_page(path: Path, found: Sequence[Route]) -> None:
    from fluvial.report.page import ReportData, write_report

    facts = {"Molecules": str(len({route.product for route in found})), "Routes": str(len(found))}
    write_report(ReportData("Routes", "as searched in the library", [], [], [], "", facts, found), path)


def _as_picture(path: Path, found: Sequence[Route]) -> None:
    from fluvial.core.files import write_bytes_atomic
    from fluvial.report.route_picture import routes_picture

    write_bytes_atomic(path, routes_picture(found).encode())


WRITERS: dict[str, Callable[[Path, Sequence[Route]], None]] = {
    ".csv": _as_table,
    ".parquet": _as_table,
    ".json": _as_json_file,
    ".txt": _as_lines,
    ".svg": _as_picture,
    ".html": _as_page,
}
"""Ending of a file to what writes routes into it."""
