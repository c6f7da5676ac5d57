"""Molecules out of the files that chemists have: SMILES lines, tables, SDF."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fluvial.core.errors import DataError
from fluvial.data.columns import Columns
from fluvial.data.streams import ending
from fluvial.data.tables import READERS, TABLES, read_rows

SMILES_COLUMN = "smiles"


@dataclass(frozen=True)
class InputMolecule:
    """One molecule as a file gives it; the SMILES is not checked."""

    place: str
    """`line 3`, `record 3` or `row 3`."""
    name: str
    smiles: str
    """Empty where there is none."""


def read_molecules(path: Path, column: str | None = None) -> list[InputMolecule]:
    """The molecules of a .smi, .txt, .csv, .tsv, .sdf or .parquet file, in order.

    Args:
        path: the file, packed by gzip where its name ends in .gz.
        column: column of a table that holds the SMILES; by default the one called smiles, in any letter case.

    Raises:
        DataError: the file cannot be read, has another ending, or holds no molecule.
    """
    suffix = ending(path)
    if column is not None and suffix in READERS and suffix not in TABLES:
        raise DataError(f"{path}: only tables ({', '.join(TABLES)}) have columns such as '{column}'.")
    columns = Columns(column or SMILES_COLUMN, remedy="Choose with --column.")
    molecules = [InputMolecule(row.place, row.name, row.text) for row in read_rows(path, columns)]
    if not molecules:
        raise DataError(f"{path}: there is no molecule in it.")
    return molecules
