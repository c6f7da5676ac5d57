"""Molecules out of the files that chemists have: SMILES lines, tables, SDF."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fluvial.core.errors import DataError

DELIMITERS = (",", ";", "\t")
SMILES_COLUMN = "smiles"


@dataclass(frozen=True)
class InputMolecule:
    """One molecule as a file gives it; the SMILES is not checked."""

    place: str
    """`line 3` or `record 3`."""
    name: str
    smiles: str
    """Empty where there is none."""


def read_molecules(path: Path, column: str | None = None) -> list[InputMolecule]:
    """The molecules of a .smi, .txt, .csv, .tsv or .sdf file, in order.

    Args:
        path: the file.
        column: column of a table that holds the SMILES; by default the one called smiles, in any letter case.

    Raises:
        DataError: the file cannot be read, has another ending, or holds no molecule.
    """
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise DataError(
            f"{path}: what ends in '{path.suffix}' is not read here; accepted are {', '.join(READERS)}."
        )
    if column is not None and suffix not in TABLES:
        raise DataError(f"{path}: only tables ({', '.join(TABLES)}) have columns such as '{column}'.")
    molecules = READERS[suffix](path, column)
    if not molecules:
        raise DataError(f"{path}: there is no molecule in it.")
    return molecules


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file.") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from None


def _text(path: Path) -> str:
    content = _bytes(path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}:{line}: is not UTF-8 text; save the file as UTF-8.") from None


def _from_lines(path: Path, column: str | None) -> list[InputMolecule]:
    """SMILES and perhaps a name on each line; blank lines, # comments and a heading are passed over."""
    molecules = []
    for number, line in enumerate(_text(path).splitlines(), 1):
        smiles, _, name = line.strip().partition("\t" if "\t" in line.strip() else " ")
        if smiles and not smiles.startswith("#") and not (number == 1 and smiles.lower() == SMILES_COLUMN):
            molecules.append(InputMolecule(f"line {number}", name.strip(), smiles))
    return molecules


def _from_table(path: Path, column: str | None) -> list[InputMolecule]:
    text = _text(path)
    heading = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(DELIMITERS, key=heading.count))
    try:
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: {error}.") from None
    if not rows:
        return []
    names = [cell.strip() for cell in rows[0][1]]
    place = _column(path, names, column)
    title = next((index for index, name in enumerate(names) if name.lower() in ("name", "id", "title")), None)
    return [InputMolecule(f"line {number}", _cell(row, title), _cell(row, place)) for number, row in rows[1:]]


def _column(path: Path, names: list[str], column: str | None) -> int:
    if column in names:
        return names.index(column)
    wanted = (column or SMILES_COLUMN).lower()
    matching = [index for index, name in enumerate(names) if name.lower() == wanted]
    if len(matching) != 1:
        found = ", ".join(f"'{name}'" for name in names)
        what = "is no" if not matching else "are several"
        raise DataError(
            f"{path}: there {what} column '{column or SMILES_COLUMN}'; it has {found}. Choose with --column."
        )
    return matching[0]


def _cell(row: list[str], index: int | None) -> str:
    return row[index].strip() if index is not None and index < len(row) else ""


def _from_sdf(path: Path, column: str | None) -> list[InputMolecule]:
    from rdkit import Chem, rdBase

    from fluvial.chem.molecules import canonical_smiles

    content = _bytes(path)
    if b"M  END" not in content:
        raise DataError(f"{path}: is no SDF; it holds no line 'M  END'.")
    molecules = []
    with rdBase.BlockLogs():
        for number, mol in enumerate(Chem.ForwardSDMolSupplier(io.BytesIO(content)), 1):
            name = mol.GetProp("_Name").strip() if mol is not None and mol.HasProp("_Name") else ""
            smiles = "" if mol is None else canonical_smiles(mol)
            molecules.append(InputMolecule(f"record {number}", name, smiles))
    return molecules


TABLES = (".csv", ".tsv")
READERS: dict[str, Callable[[Path, str | None], list[InputMolecule]]] = {
    ".smi": _from_lines,
    ".smiles": _from_lines,
    ".txt": _from_lines,
    ".csv": _from_table,
    ".tsv": _from_table,
    ".sdf": _from_sdf,
}
"""Ending of a file name to its reader."""
