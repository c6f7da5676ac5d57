"""Molecules with a number each, with their places in space where the file has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fluvial.core.errors import DataError
from fluvial.data.columns import Columns, as_number
from fluvial.data.streams import ending, opened
from fluvial.data.tables import usable_blocks
from fluvial.data.tally import Tally

SDF = ".sdf"


def labelled_molecules(path: Path, columns: Columns, tally: Tally) -> Iterator[tuple[Any, float]]:
    """RDKit molecules with the number in the column `columns.reward`; other rows are counted in `tally`.

    Molecules of an SD file keep their hydrogens and positions.

    Raises:
        DataError: the file cannot be read, or lacks a column.
    """
    if ending(path) == SDF:
        yield from _from_sdf(path, str(columns.reward), tally)
        return
    from fluvial.chem.molecules import parse_smiles

    rows = Tally()
    for block in usable_blocks(path, columns, rows):
        for row in block:
            if row.reward is None:
                tally.add("without a number", f"{row.place}: {row.shown or row.text}")
                continue
            try:
                mol = parse_smiles(row.text)
            except DataError as error:
                tally.add("that RDKit cannot read", f"{row.place}: {error}")
                continue
            tally.add()
            yield mol, row.reward


def _from_sdf(path: Path, item: str, tally: Tally) -> Iterator[tuple[Any, float]]:
    from rdkit import Chem, rdBase

    end: Any = object()
    with opened(path) as stream:
        supplier = iter(Chem.ForwardSDMolSupplier(stream, removeHs=False))
        number = 0
        while True:
            with rdBase.BlockLogs():
                mol = next(supplier, end)
            if mol is end:
                return
            number += 1
            if mol is None:
                tally.add("that RDKit cannot read", f"record {number}")
                continue
            value = as_number(mol.GetProp(item)) if mol.HasProp(item) else None
            if value is None:
                tally.add("without a number", f"record {number}: no '{item}'")
                continue
            tally.add()
            yield mol, value
