"""The tables of a run: all objects as CSV and Parquet, the best ones as SDF, and a page on the columns.

In the CSV one row is one line: line breaks in texts become blanks. A text or heading that starts with one of
= + - @ (or a tab or line break) gets an apostrophe in front, because spreadsheets would run it as a formula.
No legal SMILES starts so or holds a line break; SMILES are never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from rdkit import Chem

from fluvial.chem.fingerprints import scaffold
from fluvial.chem.molecules import inchi_key, parse_smiles
from fluvial.core.errors import DataError
from fluvial.core.files import write_bytes_atomic, write_text_atomic
from fluvial.queue.records import Candidate
from fluvial.queue.store import Store
from fluvial.rewards.terms import Term
from fluvial.train.pareto import front_of, front_table
from fluvial.train.run_directory import RunDirectory
from fluvial.train.table import Cell, csv_text, parquet_bytes, sdf_text

N_DESCRIBED = 1000
"""Rows that get an InChIKey and a scaffold: about a millisecond each, too long for 100,000 rows."""
PARETO_MEANING = "1 on the front: no other object is at least as good in every reward term and better in one."
STATUS_MEANING = (
    "'ok': scored; 'filtered': a filter rejected it and the reward is the lowest one; "
    "'failed': scoring failed; 'invalid': not a legal input of the reward."
)


@dataclass(frozen=True)
class Column:
    """One column of the tables."""

    name: str
    type: pa.DataType
    meaning: str
    """One sentence, with the unit."""
    cells: Sequence[Cell]


def write_candidates(
    store: Store,
    run: RunDirectory,
    n_sdf: int = 100,
    is_molecular: bool = True,
    descriptions: Mapping[str, str] | None = None,
    terms: Sequence[Term] = (),
) -> None:
    """Replace candidates.csv, candidates.parquet, top.sdf and COLUMNS.md by the present content of `store`.

    With two reward terms or more also pareto.csv, the objects that no other one beats in all of them.

    Rows are in order of reward, then text; those without a reward are last, with an empty cell.

    Args:
        store: what to export.
        run: where to.
        n_sdf: number of molecules in top.sdf.
        is_molecular: whether texts are SMILES; if not, there are no InChIKeys, scaffolds and top.sdf.
        descriptions: meaning and unit of properties by name, where known.
        terms: of the reward.

    Raises:
        StorageError: a file cannot be written, or the store cannot be read; each file is whole, old or new.
    """
    candidates = store.candidates()
    columns = candidate_columns(candidates, store.property_names(), is_molecular, descriptions or {})
    if len(terms) > 1:
        front = front_of(terms, candidates)
        columns.append(Column("pareto", pa.int64(), PARETO_MEANING, [int(is_on) for is_on in front.is_on]))
        pareto = front_table(candidates, front, "smiles" if is_molecular else "object")
        write_text_atomic(run.pareto_csv, csv_text(pareto))
    table = {column.name: column.cells for column in columns}
    types = {column.name: column.type for column in columns}
    write_text_atomic(run.candidates_csv, csv_text(table))
    write_bytes_atomic(run.candidates_parquet, parquet_bytes(table, types))
    if is_molecular:
        best = [row for row, candidate in enumerate(candidates) if candidate.status == "ok"][:n_sdf]
        write_text_atomic(run.top_sdf, sdf_text(table, best))
    write_text_atomic(run.columns, _columns_page(columns, n_sdf if is_molecular else None))


def candidate_columns(
    candidates: Sequence[Candidate],
    property_names: Sequence[str],
    is_molecular: bool,
    descriptions: Mapping[str, str],
) -> list[Column]:
    """The columns of the tables, one cell for each of `candidates` (best first)."""
    texts = [candidate.text for candidate in candidates]
    rewards = [candidate.reward for candidate in candidates]
    sampled = [candidate.times_sampled for candidate in candidates]
    steps = [candidate.first_step for candidate in candidates]
    statuses = [candidate.status for candidate in candidates]
    reasons = [candidate.reason for candidate in candidates]
    text_column = Column("object", pa.string(), "Canonical text of the object.", texts)
    first = [
        Column("rank", pa.int64(), "Place in the order of rewards; 1 is the best.", range(1, len(texts) + 1)),
        *(_identities(texts) if is_molecular else [text_column]),
        Column("reward", pa.float64(), "Reward, no unit; empty (never 0) where scoring failed.", rewards),
    ]
    last = [
        *([_scaffolds(texts)] if is_molecular else []),
        Column("times_sampled", pa.int64(), "How often the run sampled it.", sampled),
        Column("first_step", pa.int64(), "Training step that first made it.", steps),
        Column("status", pa.string(), STATUS_MEANING, statuses),
        Column("reason", pa.string(), "Why it was filtered or failed; else empty.", reasons),
    ]
    taken = [column.name for column in (*first, *last)]
    middle = []
    for name in property_names:
        values = [candidate.properties.get(name) for candidate in candidates]
        meaning = (
            descriptions.get(name) or f"Raw value of {name!r} before any transform, in the unit of its tool."
        )
        taken.append(_free_name(name, taken))
        middle.append(Column(taken[-1], pa.float64(), f"{meaning} Empty where there is none.", values))
    return [*first, *middle, *last]


def _identities(texts: Sequence[str]) -> list[Column]:
    keys = _of_first(texts, inchi_key)
    return [
        Column("smiles", pa.string(), "Canonical SMILES.", texts),
        Column("inchikey", pa.string(), f"Standard InChIKey, only for the first {N_DESCRIBED} rows.", keys),
    ]


def _scaffolds(texts: Sequence[str]) -> Column:
    meaning = (
        f"Bemis-Murcko scaffold, SMILES; only for the first {N_DESCRIBED} rows, empty where there is no ring."
    )
    return Column("scaffold", pa.string(), meaning, _of_first(texts, scaffold))


def _of_first(texts: Sequence[str], function: Callable[[Chem.Mol], str]) -> list[Cell]:
    """`function` of the first `N_DESCRIBED` molecules; None elsewhere and where there is nothing."""

    def cell(text: str) -> str | None:
        try:
            return function(parse_smiles(text)) or None
        except DataError:
            # The text is no molecule, or InChI does not cover it.
            return None

    return [cell(text) if row < N_DESCRIBED else None for row, text in enumerate(texts)]


def _free_name(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name = f"{name} (property)"
    return name


def _columns_page(columns: Sequence[Column], n_sdf: int | None) -> str:
    rows = "\n".join(f"| {_markdown(column.name)} | {_markdown(column.meaning)} |" for column in columns)
    sdf = (
        ""
        if n_sdf is None
        else f"`top.sdf` holds the best {n_sdf} molecules of status 'ok' with 2D coordinates.\n"
    )
    return (
        "# Columns of candidates.csv and candidates.parquet\n\n"
        "One row for each object that the run made, in order of reward, then of text; "
        "those without a reward come last.\n"
        "Both files hold the same cells, except that in the CSV line breaks are blanks, and a text that\n"
        "starts with `=`, `+`, `-` or `@` has an apostrophe in front, so that no spreadsheet takes it for a\n"
        "formula. No SMILES starts so.\n"
        f"{sdf}\n| column | meaning |\n|---|---|\n{rows}\n"
    )


def _markdown(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
