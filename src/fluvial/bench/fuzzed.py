"""What is given nonsense by the benchmark `fuzz`: each text says what reads it, `smiles:CCO`.

A number comes back: 1 for what was read, 0 for what was refused with one of our errors. Any other error is a
fault.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from fluvial.chem.fingerprints import morgan_fingerprints
from fluvial.chem.molecules import canonical_smiles, parse_smiles
from fluvial.chem.synthesis.reactions import Reaction
from fluvial.chem.synthesis.templates import read_templates
from fluvial.config.file import parse_config
from fluvial.core.errors import DataError, FluvialError
from fluvial.queue.job_statements import as_columns
from fluvial.queue.jobs import Result, Retries
from fluvial.queue.life import Life, claimed, reported
from fluvial.rewards.answers import Answered, Noise, parse_line, record_of
from fluvial.rewards.guard import BreakdownError
from fluvial.rewards.http_service import results_of_body
from fluvial.rewards.one_shot import results_of_payload

REACTANTS = ("OC(=O)c1ccccc1", "NCc1ccccc1", "Brc1ccncc1", "OB(O)c1ccccc1", "O=CCC")
"""Molecules that templates are tried on."""


def score(texts: list[str]) -> list[float]:
    """1 or 0 for each text."""
    return [one(text) for text in texts]


def one(text: str) -> float:
    """1 for what was read, 0 for what was refused as it should be."""
    kind, _, rest = text.partition(":")
    try:
        READERS[kind](rest)
    except (FluvialError, BreakdownError):
        return 0.0
    return 1.0


def read_molecule(text: str) -> None:
    """A molecule, its name and its fingerprint; what we write we must be able to read."""
    molecule = parse_smiles(text)
    morgan_fingerprints([molecule], 2)
    again = canonical_smiles(parse_smiles(canonical_smiles(molecule)))
    parse_smiles(again)


def read_template(text: str) -> None:
    """A file of templates, each of which is run."""
    with tempfile.NamedTemporaryFile(suffix=".tsv") as file:
        file.write(text.encode("utf-8", "surrogatepass"))
        file.flush()
        templates = read_templates(Path(file.name))
    molecules = [parse_smiles(smiles) for smiles in REACTANTS]
    for template in templates:
        reaction = Reaction(template)
        for place, molecule in enumerate(molecules):
            others = molecules[place:] if template.n_reactants == 2 else [None]
            for other in others:
                reaction.products(*(one for one in (molecule, other) if one is not None))


def read_configuration(text: str) -> None:
    """A configuration of a run, with an override in each line that begins with `#=`."""
    overrides = [line.removeprefix("#=").strip() for line in text.splitlines() if line.startswith("#=")]
    parse_config(text, overrides=overrides)


def read_message(text: str) -> None:
    """A line of a program, a response of a service, the output of a command; one byte a character."""
    message = text.encode("latin-1", "replace")
    line = parse_line(message)
    results = [line.result] if isinstance(line, Answered) else []
    for read in (lambda: dict(results_of_body(message)).values(), lambda: results_of_payload(message, 2)):
        with suppress(BreakdownError):
            results.extend(read())
    for result in results:
        keep(result)
        record_of("7", result)
    if not results and isinstance(line, Noise):
        raise DataError("no message at all")


def keep(result: Result) -> None:
    """Have a result change a job as a queue would write it down."""
    after = reported(claimed(Life(), "token", "worker", 0.0, 1.0), "token", result, 0.5, Retries())
    assert after is not None
    as_columns(after)


READERS: dict[str, Callable[[str], None]] = {
    "smiles": read_molecule,
    "template": read_template,
    "configuration": read_configuration,
    "message": read_message,
}
