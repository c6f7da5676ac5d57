"""Which column of a table means what, and rows made of its cells."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fluvial.core.errors import DataError

Cell = str | int | float | bool | None
NAME_COLUMNS = ("name", "id", "title")


@dataclass(frozen=True)
class Columns:
    """What to read of a table. Names are matched exactly, else in any letter case.

    Lines of SMILES without a heading have no names; there "2" is the second word of a line.
    """

    text: str = "smiles"
    """Column of the objects; not looked at in SMILES lines, where it is the first word, and SD files."""
    reward: str | None = None
    """Column of the rewards; none are read where it is None."""
    further: tuple[str, ...] = ()
    """Further columns to keep."""
    remedy: str = "Name the one that is meant."
    """The last words of the message about a column that is not there."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table."""

    place: str
    """`line 3`, `record 3` or `row 3`."""
    text: str
    """The object, not checked; empty where there is none."""
    reward: float | None = None
    """A finite number, or None where the cell is empty or there is no such column."""
    further: Mapping[str, Cell] | None = None
    """Cells of the columns to keep, by name; empty ones are None. None where none are kept."""
    name: str = ""
    """What the file calls the object."""
    problem: str = ""
    """Empty, or why the row is of no use."""
    shown: str = ""
    """The text that is the problem."""


@dataclass(frozen=True)
class Layout:
    """Positions of the cells in a row."""

    columns: Columns
    text: int
    name: int | None
    reward: int | None
    further: Mapping[str, int]

    @property
    def positions(self) -> set[int]:
        """Of all cells that are read."""
        wanted = (self.text, self.name, self.reward, *self.further.values())
        return {place for place in wanted if place is not None}


def layout(path: Path, names: Sequence[str], columns: Columns) -> Layout:
    """Where the columns are in a table whose heading is `names`.

    Raises:
        DataError: a column is not there, or several are meant.
    """
    return Layout(
        columns,
        column_position(path, names, columns.text, columns.remedy),
        next((place for place, name in enumerate(names) if name.lower() in NAME_COLUMNS), None),
        None if columns.reward is None else column_position(path, names, columns.reward, columns.remedy),
        {name: column_position(path, names, name, columns.remedy) for name in columns.further},
    )


def column_position(path: Path, names: Sequence[str], wanted: str, remedy: str) -> int:
    """Position of the column `wanted`.

    Raises:
        DataError: there is none, or there are several.
    """
    matching = [place for place, name in enumerate(names) if name == wanted] or [
        place for place, name in enumerate(names) if name.lower() == wanted.lower()
    ]
    if len(matching) != 1:
        found = ", ".join(f"'{name}'" for name in names) or "none"
        what = "is no" if not matching else "are several"
        raise DataError(f"{path}: there {what} column '{wanted}'; it has {found}. {remedy}")
    return matching[0]


def row_of(found: Layout, place: str, cells: Sequence[Cell]) -> Row:
    """The row that the cells make; a cell behind the end of a short row is empty."""
    further = {name: cell_at(cells, position) for name, position in found.further.items()} or None
    text, name = _text(cell_at(cells, found.text)), _text(cell_at(cells, found.name))
    written = cell_at(cells, found.reward)
    reward = as_number(written)
    if not text:
        problem, shown = f"without an object in column '{found.columns.text}'", "an empty cell"
    elif reward is None and not is_unknown(written):
        problem, shown = f"with no finite number in column '{found.columns.reward}'", f"'{written}'"
    else:
        problem = shown = ""
    return Row(place, text, reward, further, name, problem, shown)


def cell_at(cells: Sequence[Cell], position: int | None) -> Cell:
    """A cell without blanks around it; None where it is empty or not there."""
    cell = cells[position] if position is not None and position < len(cells) else None
    return (cell.strip() or None) if isinstance(cell, str) else cell


def as_number(cell: Cell) -> float | None:
    """The finite number that a cell holds, else None."""
    if cell is None or isinstance(cell, bool):
        return None
    try:
        number = float(cell)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def is_unknown(cell: Cell) -> bool:
    """Whether a cell says that there is no number: it is empty, or nan, which tables write for that."""
    return cell is None or str(cell).lower() == "nan"


def _text(cell: Cell) -> str:
    return "" if cell is None else str(cell)
