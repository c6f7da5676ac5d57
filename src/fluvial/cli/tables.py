"""Tables of scored objects as CSV, Parquet, SDF, SMILES lines or JSON, by the ending of the file name."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fluvial.core.errors import ConfigError, DataError, StorageError
from fluvial.core.files import write_bytes_atomic
from fluvial.queue.records import ScoredObject
from fluvial.train.table import Table, csv_text, json_text, parquet_bytes, sdf_text, smiles_text

OTHER_COLUMNS = ("name", "smiles", "object", "reward", "status", "reason", "count")
"""Columns that are no properties."""


def sampled_table(
    objects: Sequence[ScoredObject],
    text_name: str,
    term_names: Sequence[str] = (),
    asked: Mapping[str, Sequence[float]] | None = None,
) -> Table:
    """Each different object once, best first, with the number of times that it was drawn.

    Args:
        objects: as drawn.
        text_name: what the texts are: `smiles` or `object`.
        term_names: properties that come first; the others are in order of the alphabet.
        asked: what each object was asked for, by column; of an object that came again, the first time counts.
    """
    counts = Counter(item.text for item in objects)
    different = {item.text: item for item in objects}.values()
    first = {item.text: row for row, item in reversed(list(enumerate(objects)))}
    ranked = sorted(different, key=lambda item: (item.reward is None, -(item.reward or 0.0), item.text))
    rows = [first[item.text] for item in ranked]
    found = {name for item in ranked for name in item.properties}
    names = [*(name for name in term_names if name in found), *sorted(found.difference(term_names))]
    return {
        text_name: [item.text for item in ranked],
        "reward": [item.reward for item in ranked],
        **{free_name(name): [_finite(item.properties.get(name)) for item in ranked] for name in names},
        "status": [item.status for item in ranked],
        "reason": [item.reason for item in ranked],
        "count": [counts[item.text] for item in ranked],
        **{f"asked {name}": [cells[row] for row in rows] for name, cells in (asked or {}).items()},
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
    require_place(path)


def require_place(path: Path) -> None:
    """Refuse a file that has no folder to lie in.

    Raises:
        StorageError: there is no such folder, or `path` is one.
    """
    if not path.parent.is_dir():
        raise StorageError(f"{path}: there is no folder {path.parent}. Make it, or name another file.")
    if path.is_dir():
        raise StorageError(f"{path} is a folder. Name a file in it.")


def _csv(table: Table) -> bytes:
    return csv_text(table).encode()


def _parquet(table: Table) -> bytes:
    return parquet_bytes(table, {})


def _json(table: Table) -> bytes:
    return json_text(table).encode()


def _smiles(table: Table) -> bytes:
    return smiles_text(_molecular(table)).encode()


def _sdf(table: Table) -> bytes:
    molecules = _molecular(table)
    return sdf_text(molecules, range(len(molecules["smiles"]))).encode()


def _molecular(table: Table) -> Table:
    if "smiles" not in table:
        raise DataError("the objects are no molecules; write them as .csv, .parquet or .json")
    return table


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


WRITERS: dict[str, Callable[[Table], bytes]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".sdf": _sdf,
    ".smi": _smiles,
    ".json": _json,
}
"""Ending of a file name to its writer."""
