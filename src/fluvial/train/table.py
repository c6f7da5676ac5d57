"""Tables as columns of cells, and their text as CSV, Parquet, SDF, SMILES lines or JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet as pq
from rdkit import Chem, rdBase
from rdkit.Chem import rdDepictor

from fluvial.chem.molecules import parse_smiles
from fluvial.core.errors import DataError

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
LINE_BREAKS = {ord("\r"): " ", ord("\n"): " "}

Cell = str | int | float | None
Table = Mapping[str, Sequence[Cell]]
"""Name of a column to its cells; all have the same number."""


def csv_text(table: Table) -> str:
    """The table as CSV, safe for spreadsheets: no text starts a formula or breaks a line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_guarded, table))
    writer.writerows(zip(*(map(_guarded, cells) for cells in table.values()), strict=True))
    return text.getvalue()


def parquet_bytes(table: Table, types: Mapping[str, pa.DataType]) -> bytes:
    """The table as Parquet.

    Args:
        table: the cells.
        types: of columns by name; the others are text or int64 where all filled cells are, else float64.
    """
    content = io.BytesIO()
    columns = {name: pa.array(cells, types.get(name, _type(cells))) for name, cells in table.items()}
    pq.write_table(pa.table(columns), content)
    return content.getvalue()


def sdf_text(table: Table, rows: Iterable[int]) -> str:
    """Molecules of the column `smiles` with 2D coordinates and their filled cells as data items.

    A text that is no molecule is left out.
    """
    blocks: list[str] = []
    for row in rows:
        block = _mol_block(str(table["smiles"][row]))
        if block is not None:
            filled = [(name, cells[row]) for name, cells in table.items() if cells[row] not in (None, "")]
            blocks.append("".join([block, *(_data_item(name, cell) for name, cell in filled), "$$$$\n"]))
    return "".join(blocks)


def smiles_text(table: Table) -> str:
    """SMILES, and the reward where there is one, on each line."""
    texts = table["smiles"]
    rows = zip(texts, table.get("reward", [None] * len(texts)), strict=True)
    return "".join(f"{text}\n" if reward is None else f"{text}\t{reward:.6g}\n" for text, reward in rows)


def json_text(table: Table) -> str:
    """A list of objects, one for each row, one a line; a cell that is missing or not finite is null."""
    columns = [[_jsonable(cell) for cell in cells] for cells in table.values()]
    rows = [json.dumps(dict(zip(table, row, strict=True))) for row in zip(*columns, strict=True)]
    return "[\n" + ",\n".join(rows) + "\n]\n"


def _jsonable(cell: Cell) -> Cell:
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell


def _type(cells: Sequence[Cell]) -> pa.DataType:
    filled = {type(cell) for cell in cells if cell is not None}
    if str in filled:
        return pa.string()
    return pa.int64() if filled == {int} else pa.float64()


def _guarded(cell: Cell) -> Cell:
    if not isinstance(cell, str):
        return cell
    return ("'" if cell.startswith(FORMULA_STARTS) else "") + cell.translate(LINE_BREAKS)


def _mol_block(text: str) -> str | None:
    try:
        mol = Chem.Mol(parse_smiles(text))
    except DataError:
        return None
    with rdBase.BlockLogs():
        rdDepictor.Compute2DCoords(mol)
        return str(Chem.MolToMolBlock(mol))


def _data_item(name: str, cell: Cell) -> str:
    """One SD data item; angle brackets would end its name, and a blank line, '>' or '$$$$' its value."""
    heading = " ".join(name.replace("<", "(").replace(">", ")").split())
    value = " ".join(str(cell).split())
    return f">  <{heading}>\n{' ' if value.startswith(('>', '$$$$')) else ''}{value}\n\n"
