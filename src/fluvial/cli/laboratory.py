"""`fluvial queue ask` and `tell`: what waits for an answer as a table, and the table back with answers."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fluvial.cli.output import say
from fluvial.cli.queueing import opened
from fluvial.cli.working import OracleName, Place
from fluvial.core.errors import DataError

if TYPE_CHECKING:
    from fluvial.train.table import Table

ASK_EXAMPLES = """\
Example:

fluvial queue ask runs/design -n 96 -o plate.csv --days 14
"""

TELL_EXAMPLES = """\
Examples:

fluvial queue tell runs/design -i plate.csv

fluvial queue tell runs/design -i plate.csv --value pIC50
"""

TEXT, JOB, LEASE, ERROR = "smiles", "job", "lease", "error"
"""Columns of the table."""
LEASE_MARK = "lease-"
"""Before the token, so that no spreadsheet takes it for a number."""


def ask(
    place: Place,
    n: Annotated[int, typer.Option("-n", min=1, help="How many molecules.")] = 96,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="A .csv file.")] = Path(
        "asked.csv"
    ),
    days: Annotated[float, typer.Option(min=0.001, help="Days after which they go to others.")] = 7.0,
    oracle: OracleName = None,
) -> None:
    """Write molecules that wait for an answer into a table; nobody else gets them meanwhile."""
    from fluvial.core.files import write_text_atomic
    from fluvial.queue import people
    from fluvial.train.table import csv_text

    if output.exists():
        raise DataError(f"{output} is there already, and may hold answers; choose another name")
    with opened(place, oracle) as (queue, _):
        jobs = people.ask(queue, n, days, oracle)
        table: Table = {
            TEXT: list(jobs),
            JOB: [job.id for job in jobs.values()],
            LEASE: [f"{LEASE_MARK}{job.token}" for job in jobs.values()],
            "value": [None] * len(jobs),
            ERROR: [None] * len(jobs),
        }
        write_text_atomic(output, csv_text(table))
    say(f"{len(jobs)} molecules written to {output}")


def tell(
    place: Place,
    table: Annotated[
        Path, typer.Option("-i", "--input", metavar="FILE", help="The table of `ask`, with answers.")
    ],
    value: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Column with numbers; several may be given.")
    ] = None,
) -> None:
    """Read answers from a table; rows without a number and without an error are left for later."""
    from fluvial.queue import people
    from fluvial.queue.jobs import Job

    names = value or ["value"]
    jobs: dict[str, Job] = {}
    found: dict[str, people.Found] = {}
    for line, row in rows_of(table, [TEXT, JOB, LEASE, *names]):
        numbers = {name: number_of(row[name], f"{table} line {line}") for name in names}
        error = (row.get(ERROR) or "").strip()
        if not error and all(number is None for number in numbers.values()):
            continue
        text = row[TEXT]
        jobs[text] = Job(int(row[JOB]), text, 1, row[LEASE].removeprefix(LEASE_MARK))
        found[text] = error or numbers
    with opened(place, None) as (queue, _):
        changed = people.tell(queue, jobs, found)
    say(f"{changed} answers taken, {len(found) - changed} were there before or came from another table")


def rows_of(path: Path, columns: list[str]) -> list[tuple[int, dict[str, str]]]:
    """Line and cells of each row of a table.

    Raises:
        DataError: it cannot be read, or a column is missing.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise DataError(
                    f"{path}: there is no column '{missing[0]}' (found: {', '.join(reader.fieldnames or ())})"
                )
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a table: {error}") from None
    for line, row in rows:
        if not (row[JOB] or "").isdigit() or not (row[LEASE] or "").startswith(LEASE_MARK):
            raise DataError(
                f"{path} line {line}: '{JOB}' and '{LEASE}' are not as `fluvial queue ask` wrote them"
            )
    return rows


def number_of(cell: str | None, place: str) -> float | None:
    """The number in a cell; None where it is empty.

    Raises:
        DataError: it is no finite number.
    """
    text = (cell or "").strip()
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        raise DataError(f"{place}: {text!r} is not a number; say why in the column '{ERROR}'") from None
    if number - number != 0.0:
        raise DataError(f"{place}: {text} is not a finite number; say why in the column '{ERROR}'")
    return number
