"""Objects and rewards out of the files that people have, row by row: lines, tables, SD files, Parquet.

Files are read as a stream, so memory does not grow with them. What is wrong with one row is told in that row;
an error is raised only where nothing behind a place can be trusted, or nothing of the file can be used.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from fluvial.core.errors import DataError
from fluvial.data.columns import Columns, Layout, Row, as_number, column_position, is_unknown, layout, row_of
from fluvial.data.streams import PACKED, ending, holds, is_packed, opened, text_lines
from fluvial.data.tally import Tally, in_words

PARQUET = ".parquet"
TABLES = (".csv", ".tsv", PARQUET)
"""Endings of files with named columns."""
DELIMITERS = (",", ";", "\t")
SMILES_HEADING = "smiles"
ROWS_AT_ONCE = 4096
"""Rows of a block; bounds memory."""

T = TypeVar("T")


def read_rows(path: Path, columns: Columns | None = None) -> Iterator[Row]:
    """The rows of a .smi, .txt, .csv, .tsv, .sdf or .parquet file in order, also packed as .gz.

    Args:
        path: the file.
        columns: which columns are meant; by default the objects of a column called smiles.

    Raises:
        DataError: the file cannot be read, has another ending, is broken from a line on, or lacks a column.
    """
    suffix = ending(path)
    if suffix not in READERS or (suffix == PARQUET and is_packed(path)):
        raise DataError(
            f"{path}: what ends in '{path.suffix}' is not read here; accepted are {', '.join(READERS)}"
            f" and, but for {PARQUET}, the same with {PACKED}."
        )
    return READERS[suffix](path, columns or Columns())


def usable_blocks(
    path: Path, columns: Columns, tally: Tally, rows_at_once: int = ROWS_AT_ONCE
) -> Iterator[list[Row]]:
    """The good rows in blocks; all rows are counted in `tally`, the bad ones with their reasons.

    Raises:
        DataError: as `read_rows`; and in the end, if there was no good row.
    """
    for block in in_blocks(read_rows(path, columns), rows_at_once):
        good = []
        for row in block:
            tally.add(row.problem, f"{row.place}: {row.shown}")
            if not row.problem:
                good.append(row)
        if good:
            yield good
    if tally.n_rows == tally.n_bad:
        why = f"all {tally.n_bad} rows are bad: {in_words(tally.reasons())}" if tally.n_bad else "it is empty"
        raise DataError(f"{path}: there is nothing in it to use; {why}.")


def in_blocks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of `size`, the last of which may be shorter."""
    source = iter(items)
    while block := list(islice(source, size)):
        yield block


def _from_lines(path: Path, columns: Columns) -> Iterator[Row]:
    """An object and further words on each line; blank lines, # comments and a heading are passed over."""
    found: Layout | None = None
    with opened(path) as stream:
        for number, line in enumerate(text_lines(stream, path), 1):
            stripped = line.strip()
            words = stripped.split("\t" if "\t" in stripped else None)
            if not words or words[0].startswith("#"):
                continue
            is_heading = number == 1 and words[0].strip().lower() == SMILES_HEADING
            if found is None:
                found = _line_layout(path, words if is_heading else None, columns)
            if not is_heading:
                name = stripped[len(words[0]) :].strip()
                yield replace(row_of(found, f"line {number}", words), name=name)


def _line_layout(path: Path, heading: list[str] | None, columns: Columns) -> Layout:
    """Words by the names of the heading, or by number where there is none."""

    def position(name: str) -> int:
        if name.isascii() and name.isdigit() and int(name) > 1:
            return int(name) - 1
        if heading is None:
            raise DataError(
                f"{path}: its lines have no heading, so there is no column '{name}';"
                " give the number of the word, such as '2' for the one behind the SMILES."
            )
        return column_position(path, [word.strip() for word in heading], name, columns.remedy)

    reward = None if columns.reward is None else position(columns.reward)
    return Layout(columns, 0, None, reward, {name: position(name) for name in columns.further})


def _from_table(path: Path, columns: Columns) -> Iterator[Row]:
    with opened(path) as stream:
        lines = text_lines(stream, path)
        first = next(lines, "")
        reader = csv.reader(_again(first, lines), delimiter=max(DELIMITERS, key=first.count))
        found: Layout | None = None
        try:
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                if found is None:
                    found = layout(path, [cell.strip() for cell in cells], columns)
                else:
                    yield row_of(found, f"line {reader.line_num}", cells)
        except csv.Error as error:
            raise DataError(f"{path}:{reader.line_num}: {error}.") from None


def _again(first: str, rest: Iterator[str]) -> Iterator[str]:
    if first:
        yield first
    yield from rest


def _from_sdf(path: Path, columns: Columns) -> Iterator[Row]:
    """The molecules of an SD file as canonical SMILES; its data items are the columns."""
    if not holds(path, b"M  END"):
        raise DataError(f"{path}: is no SDF; it holds no line 'M  END'.")
    missing = {name for name in (columns.reward, *columns.further) if name is not None}
    present: set[str] = set()
    is_any = False
    for number, mol in enumerate(_molecules(path), 1):
        if mol is not None and missing:
            is_any = True
            present.update(mol.GetPropNames())
            missing -= present
        yield _record(f"record {number}", mol, columns)
    if missing and is_any:
        names = ", ".join(f"'{name}'" for name in sorted(present)) or "none"
        raise DataError(
            f"{path}: no record has a data item '{min(missing)}'; they have {names}. {columns.remedy}"
        )


def _molecules(path: Path) -> Iterator[Any]:
    """RDKit molecules, None where one cannot be read."""
    from rdkit import Chem, rdBase

    end = object()
    with opened(path) as stream:
        supplier = iter(Chem.ForwardSDMolSupplier(stream))
        while True:
            with rdBase.BlockLogs():  # not across the yield, where others may want RDKit to speak
                mol = next(supplier, end)
            if mol is end:
                return
            yield mol


def _record(place: str, mol: Any, columns: Columns) -> Row:
    from fluvial.chem.molecules import canonical_smiles

    if mol is None:
        return Row(place, "", problem="that RDKit cannot read", shown="no molecule")

    def item(name: str) -> str | None:
        return (mol.GetProp(name).strip() or None) if mol.HasProp(name) else None

    name = item("_Name") or ""
    written = None if columns.reward is None else item(columns.reward)
    reward = as_number(written)
    further = {name: item(name) for name in columns.further} or None
    if mol.GetNumAtoms() == 0:
        return Row(place, "", reward, further, name, "without atoms", "no molecule")
    if reward is None and not is_unknown(written):
        problem, shown = f"with no finite number in data item '{columns.reward}'", f"'{written}'"
    else:
        problem = shown = ""
    return Row(place, canonical_smiles(mol), reward, further, name, problem, shown)


def _from_parquet(path: Path, columns: Columns) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with opened(path) as stream:
        try:
            file = pq.ParquetFile(stream)
            names = file.schema_arrow.names
            found = layout(path, names, columns)
            read = sorted(found.positions)
            count = 0
            for batch in file.iter_batches(ROWS_AT_ONCE, columns=[names[place] for place in read]):
                given = batch.schema.names
                lists = [batch.column(given.index(names[place])).to_pylist() for place in read]
                for cells in zip(*lists, strict=True):
                    count += 1
                    wide = dict(zip(read, cells, strict=True))
                    yield row_of(found, f"row {count}", [wide.get(place) for place in range(len(names))])
        except pa.ArrowException as error:
            raise DataError(f"{path}: is no Parquet file or is damaged ({error}).") from None


READERS: dict[str, Callable[[Path, Columns], Iterator[Row]]] = {
    ".smi": _from_lines,
    ".smiles": _from_lines,
    ".txt": _from_lines,
    ".csv": _from_table,
    ".tsv": _from_table,
    ".sdf": _from_sdf,
    PARQUET: _from_parquet,
}
"""Ending of a file name to its reader."""
