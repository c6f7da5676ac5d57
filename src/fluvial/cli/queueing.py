"""`fluvial queue`: submit objects, take answers, and see to what failed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fluvial.cli.output import say
from fluvial.cli.working import OracleName, Place, oracle_of
from fluvial.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from fluvial.queue.jobs import Answer, Oracle
    from fluvial.queue.sql_queue import SqlQueue
    from fluvial.train.table import Table

SUBMIT_EXAMPLES = """\
Examples:

fluvial queue submit jobs.db --oracle docking -i library.smi

fluvial queue submit jobs.db --oracle docking --parameter target=7ABC -i library.csv --column SMILES

fluvial queue submit jobs.db --target tyk2.toml -i library.smi
"""

ANSWERS_EXAMPLES = """\
Example:

fluvial queue answers jobs.db -o answers.csv
"""

FAILURES_EXAMPLES = """\
Example:

fluvial queue failures jobs.db --limit 50
"""

RETRY_EXAMPLES = """\
Examples:

fluvial queue retry jobs.db

fluvial queue retry jobs.db --refused
"""

CONTROL_EXAMPLES = """\
Examples:

fluvial queue pause jobs.db

fluvial queue drain jobs.db

fluvial queue resume jobs.db
"""

PART = 1000
"""Objects in one transaction."""


def submit(
    place: Place,
    molecules: Annotated[
        Path, typer.Option("-i", "--input", metavar="FILE", help="A .smi, .csv, .tsv, .sdf or .parquet file.")
    ],
    oracle: Annotated[str | None, typer.Option(metavar="NAME", help="What is asked.")] = None,
    target: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Or the target file of the tool that is asked.")
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="What changes answers; other parameters, other answers."),
    ] = None,
    column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column of the SMILES in a table.")
    ] = None,
    priority: Annotated[float, typer.Option(help="The greatest comes first.")] = 0.0,
) -> None:
    """Ask for answers to the molecules of a file.

    Molecules are asked about by their canonical SMILES, each once, however often it is submitted.
    """
    from fluvial.queue.database import shown
    from fluvial.queue.opening import open_queue
    from fluvial.train.saved import place_of

    asked = asked_oracle(oracle, target, parameters_of(parameter or []))
    texts, problems = canonical_texts(molecules, column)
    if not texts:
        raise DataError(f"{molecules}: no molecule in it can be read; {problems[0]}")
    parts = [texts[start : start + PART] for start in range(0, len(texts), PART)]
    with closing(open_queue(place_of(place))) as queue:
        found = [queue.submit(asked, part, [priority] * len(part)) for part in parts]
    new, refused = sum(one.new for one in found), sum(len(one.refused) for one in found)
    waiting, answered = sum(one.waiting for one in found), sum(len(one.answered) for one in found)
    say(f"{new} new, {waiting} waiting already, {answered} answered already")
    if refused:
        say(f"{refused} refused: the queue is draining; see `fluvial queue resume {shown(place)}`")
    for problem in problems:
        say(problem)


def answers(
    place: Place,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="FILE", help="A .csv, .parquet, .json, .sdf or .smi file."),
    ] = Path("answers.csv"),
    oracle: OracleName = None,
) -> None:
    """Write what has been answered, and how; a failure is an empty cell, never 0."""
    from fluvial.cli.tables import require_format, write_table

    require_format(output)
    with opened(place, oracle) as (queue, wanted):
        found = queue.answers(limit=2**31 - 1, oracle=wanted)
    write_table(output, answer_table(found))
    say(f"{len(found)} answers\nwritten to {output}")


def failures(
    place: Place,
    oracle: OracleName = None,
    limit: Annotated[int, typer.Option(min=1, help="How many of the latest.")] = 20,
) -> None:
    """List what ended without a value, with the reason."""
    with opened(place, oracle) as (queue, wanted):
        for end in queue.failures(limit, wanted):
            say(f"{end.state:7}{end.text}  ({end.attempts} tries, {end.owner}): {end.reason}")


def retry(
    place: Place,
    oracle: OracleName = None,
    refused: Annotated[
        bool, typer.Option("--refused", help="Also what the oracle refused for good.")
    ] = False,
) -> None:
    """Try dead letters again, as if for the first time."""
    with opened(place, oracle) as (queue, wanted):
        say(f"{queue.revive(wanted, refused=refused)} jobs are ready again")


def pause(place: Place) -> None:
    """Give out no more jobs; what is being evaluated goes on."""
    from fluvial.queue.database import shown

    control(place, paused=True)
    say(f"paused; go on with: fluvial queue resume {shown(place)}")


def drain(place: Place) -> None:
    """Accept nothing new; workers end when nothing is left."""
    from fluvial.queue.database import shown

    control(place, draining=True)
    say(f"draining; go on with: fluvial queue resume {shown(place)}")


def resume(place: Place) -> None:
    """Neither pause nor drain any more."""
    control(place, paused=False, draining=False)
    say("the queue is open")


def control(place: str, **switches: bool) -> None:
    """Set switches of an existing queue."""
    with opened(place, None) as (queue, _):
        queue.set_controls(**switches)


@contextmanager
def opened(place: str, oracle: str | None) -> Iterator[tuple[SqlQueue, str | None]]:
    """An existing queue, and the fingerprint of the oracle that is meant, if any is named.

    Raises:
        ConfigError: there is no such oracle, or several.
    """
    from fluvial.queue.opening import open_queue
    from fluvial.train.saved import place_of

    with closing(open_queue(place_of(place), create=False)) as queue:
        found = None if oracle is None else oracle_of(queue, oracle)
        if oracle is not None and found is None:
            names = ", ".join(one.name for one in queue.oracles().values()) or "none"
            raise ConfigError(f"the queue has no oracle '{oracle}' (found: {names})")
        yield queue, found


def canonical_texts(path: Path, column: str | None) -> tuple[list[str], list[str]]:
    """Canonical SMILES of the molecules of a file, and a line on each that cannot be read."""
    from fluvial.chem.molecules import canonical_smiles, parse_smiles
    from fluvial.cli.molecule_files import read_molecules

    texts: list[str] = []
    problems: list[str] = []
    for item in read_molecules(path, column):
        try:
            texts.append(canonical_smiles(parse_smiles(item.smiles)))
        except DataError as error:
            problems.append(f"{item.place}: {error}")
    return texts, problems


def asked_oracle(name: str | None, target: Path | None, parameters: dict[str, object]) -> Oracle:
    """The oracle of a name with parameters, or that of a target file.

    Raises:
        ConfigError: both or none are given, or the target file has problems.
    """
    from fluvial.queue.jobs import Oracle

    if (name is None) == (target is None):
        raise ConfigError("say what is asked by one of --oracle NAME and --target FILE")
    if name is not None:
        return Oracle(name, parameters)
    if parameters:
        raise ConfigError("--parameter goes with --oracle; a target file says all by itself")
    from fluvial.oracles.tool import open_tool

    assert target is not None
    return open_tool(target).oracle()


def parameters_of(given: Sequence[str]) -> dict[str, Any]:
    """Parameters by name; values are JSON where they can be, else text.

    Raises:
        ConfigError: one is not of the form KEY=VALUE.
    """
    parameters: dict[str, Any] = {}
    for text in given:
        name, is_there, value = text.partition("=")
        if not is_there or not name:
            raise ConfigError(f"--parameter {text}: write it as KEY=VALUE")
        try:
            parameters[name] = json.loads(value)
        except ValueError:
            parameters[name] = value
    return parameters


def answer_table(found: Sequence[Answer]) -> Table:
    """One row for each answer."""
    from fluvial.cli.tables import free_name

    names = sorted({name for end in found for name in end.values})
    return {
        "smiles": [end.text for end in found],
        **{free_name(name): [end.values.get(name) for end in found] for name in names},
        "status": [end.state for end in found],
        "reason": [end.reason for end in found],
        "attempts": [end.attempts for end in found],
        "seconds": [end.seconds for end in found],
    }
