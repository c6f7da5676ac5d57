"""Tables of scored objects as CSV, Parquet, SDF or SMILES lines, by the ending of the file name."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from rdkit import Chem, rdBase
from rdkit.Chem import rdDepictor

from fluvial.chem.molecules import parse_smiles
from fluvial.core.errors import ConfigError, DataError, StorageError
from fluvial.queue.records import ScoredObject
from fluvial.train.export import FORMULA_STARTS, LINE_BREAKS
from fluvial.train.run_directory import write_bytes_atomic

Cells = Sequence[str | int | float | None]
Table = Mapping[str, Cells]
"""Name of a column to its cells; all have the same number."""

OTHER_COLUMNS = ("name", "smiles", "object", "reward", "status", "reason", "count")
"""Columns that are no properties."""


def sampled_table(objects: Sequence[ScoredObject], text_name: str, term_names: Sequence[str] = ()) -> Table:
    """Each different object once, best first, with the number of times that it was drawn.

    Args:
        objects: as drawn.
        text_name: what the texts are: `smiles` or `object`.
        term_names: properties that come first; the others are in order of the alphabet.
    """
    counts = Counter(item.text for item in objects)
    different = {item.text: item for item in objects}.values()
    ranked = sorted(different, key=lambda item: (item.reward is None, -(item.reward or 0.0), item.text))
    found = {name for item in ranked for name in item.properties}
    names = [*(name for name in term_names if name in found), *sorted(found.difference(term_names))]
    return {
        text_name: [item.text for item in ranked],
        "reward": [item.reward for item in ranked],
        **{free_name(name): [_finite(item.properties.get(name)) for item in ranked] for name in names},
        "status": [item.status for item in ranked],
        "reason": [item.reason for item in ranked],
        "count": [counts[item.text] for item in ranked],
    }


def free_name(name: str) -> str:
    """The heading of a property, also where it is called like one of the other columns."""
    return f"{name} (property)" if name in OTHER_COLUMNS else name


def write_table(path: Path, table: Table) -> None:
    """Replace the file at `path` by the table in the format of its ending.

    Raises:
        ConfigError: no format has this ending.
        StorageError: the file cannot be written.
    """
    require_format(path)
    try:
        content = WRITERS[path.suffix.lower()](table)
    except DataError as error:
        raise ConfigError(f"{path}: {error}") from None
    write_bytes_atomic(path, content)


def require_format(path: Path) -> None:
    """Refuse a file that could not be written in the end, before the work begins.

    Raises:
        ConfigError: no format has the ending of `path`.
        StorageError: there is no such folder, or `path` is one.
    """
    if path.suffix.lower() not in WRITERS:
        known = ", ".join(WRITERS)
        raise ConfigError(f"{path}: the ending '{path.suffix}' stands for no table; accepted are {known}.")
    if not path.parent.is_dir():
        raise StorageError(f"{path}: there is no folder {path.parent}. Make it, or name another file.")
    if path.is_dir():
        raise StorageError(f"{path} is a folder. Name a file in it.")


def csv_text(table: Table) -> str:
    """The table as CSV, safe for spreadsheets: no text starts a formula or breaks a line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_guarded, table))
    writer.writerows(zip(*(map(_guarded, cells) for cells in table.values()), strict=True))
    return text.getvalue()


def _csv(table: Table) -> bytes:
    return csv_text(table).encode()


def _parquet(table: Table) -> bytes:
    content = io.BytesIO()
    columns = {name: pa.array(cells, _type(name, cells)) for name, cells in table.items()}
    pq.write_table(pa.table(columns), content)
    return content.getvalue()


def _type(name: str, cells: Cells) -> pa.DataType:
    """Also for a column of missing values only."""
    if any(isinstance(cell, str) for cell in cells):
        return pa.string()
    return pa.int64() if name == "count" else pa.float64()


def _smiles(table: Table) -> bytes:
    """SMILES and reward on each line."""
    rows = zip(_texts(table), table["reward"], strict=True)
    lines = [text if reward is None else f"{text}\t{reward:.6g}" for text, reward in rows]
    return "".join(f"{line}\n" for line in lines).encode()


def _sdf(table: Table) -> bytes:
    """The molecules that can be read, with 2D coordinates and their filled cells."""
    content = io.StringIO()
    with rdBase.BlockLogs(), Chem.SDWriter(content) as writer:
        for row, text in enumerate(_texts(table)):
            try:
                mol = Chem.Mol(parse_smiles(text))
            except DataError:
                continue
            rdDepictor.Compute2DCoords(mol)
            for name, cells in table.items():
                if cells[row] not in (None, ""):
                    mol.SetProp(_heading(name), " ".join(str(cells[row]).split()))
            writer.write(mol)
    return content.getvalue().encode()


def _texts(table: Table) -> list[str]:
    if "smiles" not in table:
        raise DataError("the objects are no molecules; write them as .csv or .parquet")
    return [str(text) for text in table["smiles"]]


def _heading(name: str) -> str:
    """Angle brackets would end the name of an SD data item."""
    return " ".join(name.replace("<", "(").replace(">", ")").split())


def _guarded(cell: str | int | float | None) -> str | int | float | None:
    if not isinstance(cell, str):
        return cell
    return ("'" if cell.startswith(FORMULA_STARTS) else "") + cell.translate(LINE_BREAKS)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


WRITERS: dict[str, Callable[[Table], bytes]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".sdf": _sdf,
    ".smi": _smiles,
}
"""Ending of a file name to its writer."""
