"""Catalogues of building blocks into one library file: cleaned, told apart, matched with templates.

The rows are worked on in parts, by several processes. A finished part is a file that is named after its
content and settings. So work that was cut off goes on where it was, and a changed row makes its part new.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from fluvial.chem.synthesis.cleaning import Cleaning
from fluvial.chem.synthesis.library_file import read_notes, write_library
from fluvial.chem.synthesis.templates import Template
from fluvial.core.errors import DataError, StorageError, WorkerError
from fluvial.core.processes import end_with_parent
from fluvial.data.catalogue_parts import Entry, entries, join_parts, make_part
from fluvial.data.columns import Columns
from fluvial.data.tables import in_blocks

ROWS_AT_ONCE = 10_000
"""Rows of a part: some 10 s of work, so that little is lost when it is cut off; arbitrary."""
_VERSION = 1
"""Changes when the same rows would give another library."""


@dataclass(frozen=True)
class CatalogueColumns:
    """Which columns of the tables are meant."""

    smiles: str = "smiles"
    identifier: str | None = None
    """By default a column `id`, `name` or `title`, if there is one."""
    supplier: str | None = None
    price: str | None = None


@dataclass(frozen=True)
class Prepared:
    """What became of the rows."""

    is_new: bool
    """False where the file was up to date."""
    n_rows: int
    n_blocks: int
    n_duplicates: int
    dropped: tuple[tuple[str, int, tuple[str, ...]], ...]
    """Reason, rows, and the first few of them, the most frequent reason first."""
    remarks: tuple[tuple[str, int, tuple[str, ...]], ...]
    """The same for rows that were kept."""
    n_matching_nothing: int
    """Blocks that no template accepts."""


def prepare_library(
    paths: Sequence[Path],
    target: Path,
    templates: Sequence[Template],
    columns: CatalogueColumns | None = None,
    cleaning: Cleaning | None = None,
    n_processes: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Prepared:
    """Write the library of all blocks in `paths` to `target`, unless it is there and up to date.

    The same rows, templates and settings give the same bytes. Of equal molecules the first is kept, with the
    identifier, supplier and price of the cheapest that has a price.

    Args:
        paths: tables, SMILES or SD files.
        target: the file to write; beside it stands the folder of the parts until all are done.
        templates: R.
        columns: which columns of the tables are meant.
        cleaning: which blocks are wanted.
        n_processes: how many work at once, at least 1.
        progress: told the number of rows done after each part.

    Raises:
        DataError: a file cannot be read, or not one block is left.
        StorageError: something cannot be written.
        WorkerError: a process ended at its work.
    """
    columns, cleaning = columns or CatalogueColumns(), cleaning or Cleaning()
    settings = {
        "version": _VERSION,
        "cleaning": asdict(cleaning),
        "columns": asdict(columns),
        "templates": [asdict(template) for template in templates],
    }
    sources = [{"name": path.name, "sha256": _sha256(path)} for path in paths]
    origin = _hash({"sources": sources, "settings": settings})
    if (known := _up_to_date(target, origin)) is not None:
        return known
    folder = target.with_name(f"{target.name}.parts")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        parts = _made_parts(paths, folder, settings, n_processes, progress)
        library, report = join_parts(parts, templates)
        if not len(library):
            raise DataError(f"{', '.join(map(str, paths))}: no block is left of {report['n_rows']} rows.")
        notes = {"sources": sources, "cleaning": asdict(cleaning), "report": report, "origin": origin}
        write_library(library, target, notes)
        shutil.rmtree(folder)
    except OSError as error:
        raise StorageError(f"{folder} cannot be written: {error.strerror or error}.") from error
    return _prepared(report, is_new=True)


def _made_parts(
    paths: Sequence[Path],
    folder: Path,
    settings: dict[str, Any],
    n_processes: int,
    progress: Callable[[int], None] | None,
) -> list[Path]:
    """The files of all parts in the order of the rows; what is there already is not made again."""
    columns = CatalogueColumns(**settings["columns"])
    parts: list[Path] = []
    done = 0
    for part, size in _in_order(_jobs(paths, columns, folder, settings), n_processes):
        parts.append(part)
        done += size
        if progress is not None:
            progress(done)
    return parts


Job = tuple[Path, list[Entry], dict[str, Any]]


def _jobs(
    paths: Sequence[Path], columns: CatalogueColumns, folder: Path, settings: dict[str, Any]
) -> Iterator[Job]:
    wanted = Columns(
        text=columns.smiles,
        further=tuple(
            name for name in (columns.identifier, columns.supplier, columns.price) if name is not None
        ),
    )
    rows = (entry for path in paths for entry in entries(path, wanted, columns))
    for number, block in enumerate(in_blocks(rows, ROWS_AT_ONCE)):
        key = _hash({"rows": [tuple(asdict(entry).values()) for entry in block], **settings})
        yield folder / f"{number:06d}-{key[:24]}.npz", block, settings


def _in_order(jobs: Iterator[Job], n_processes: int) -> Iterator[tuple[Path, int]]:
    """Each part's file and number of rows, in order; a few parts are in work at once."""
    if n_processes == 1:
        for path, block, settings in jobs:
            if not path.exists():
                make_part(path, block, settings)
            yield path, len(block)
        return
    waiting: list[tuple[Path, int, Future[None] | None]] = []
    n_done = 0
    try:
        with ProcessPoolExecutor(n_processes, get_context("spawn"), end_with_parent) as pool:
            for path, block, settings in jobs:
                made = None if path.exists() else pool.submit(make_part, path, block, settings)
                waiting.append((path, len(block), made))
                if len(waiting) > 2 * n_processes:
                    yield _finished(*waiting.pop(0))
                    n_done += 1
            while waiting:
                yield _finished(*waiting.pop(0))
                n_done += 1
    except BrokenProcessPool:
        raise WorkerError(
            f"a process ended while it worked on rows after {n_done * ROWS_AT_ONCE}; if the system ended it"
            " for want of memory, take fewer processes. The same command goes on with what is done so far"
        ) from None


def _finished(path: Path, size: int, made: Future[None] | None) -> tuple[Path, int]:
    if made is not None:
        made.result()
    return path, size


def _up_to_date(target: Path, origin: str) -> Prepared | None:
    if not target.exists():
        return None
    try:
        notes = read_notes(target)
    except DataError as error:
        raise StorageError(f"{error} It is in the way; remove it or choose another name.") from None
    return _prepared(notes["report"], is_new=False) if notes.get("origin") == origin else None


def _prepared(report: dict[str, Any], is_new: bool) -> Prepared:
    counts = {name: report[name] for name in ("n_rows", "n_blocks", "n_duplicates", "n_matching_nothing")}
    dropped, remarks = (
        tuple((reason, count, tuple(examples)) for reason, count, examples in report[name])
        for name in ("dropped", "remarks")
    )
    return Prepared(is_new, dropped=dropped, remarks=remarks, **counts)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def n_cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
