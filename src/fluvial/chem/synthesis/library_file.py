"""Libraries in files: arrays in the safetensors layout, which can be mapped into memory and hold no code."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluvial.chem.synthesis.library import BlockLibrary, embedded_library, library_of_arrays
from fluvial.chem.synthesis.templates import Template, template_problem
from fluvial.core.errors import DataError
from fluvial.core.files import replaced

FORMAT = 1
"""Version of the layout; a file of a newer one is refused."""
_KIND = "fluvial synthesis library"
_MOST_HEADER = 1 << 26
_TYPES = {"U8": np.uint8, "I64": np.int64, "F64": np.float64}


def load_library(name_or_path: str | Path) -> BlockLibrary:
    """The library called `default` (packaged blocks and reactions), or that of a file.

    Raises:
        DataError: there is no such file, or it is no library that can be used.
    """
    return embedded_library() if name_or_path == "default" else read_library(name_or_path)


def read_library(path: str | Path) -> BlockLibrary:
    """The library that a file holds. Its arrays stay in the file until they are used.

    Raises:
        DataError: the file cannot be read, is no library, is of a newer format, or is damaged.
    """
    path = Path(path)
    arrays, notes = _mapped(path)
    try:
        templates = tuple(Template(**template) for template in notes["templates"])
        library = library_of_arrays(arrays, templates, path.absolute())
        n_blocks = len(library)
        is_whole = library.compatible.shape == (2, len(templates), -(-n_blocks // 8)) and all(
            len(one) == n_blocks for one in (library.identifiers, library.suppliers, library.prices)
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: is no whole library ({error}); prepare it again.") from None
    if not is_whole or library.fingerprint != notes.get("content"):
        raise DataError(f"{path}: is damaged, its content is not what its hash says; prepare it again.")
    wrong = next((one for one in templates if template_problem(one.smarts)), None)
    if wrong is not None:
        raise DataError(f"{path}: RDKit does not read its template '{wrong.identifier}'; prepare it again.")
    return library


def read_notes(path: str | Path) -> dict[str, Any]:
    """What a library's file says of itself: templates, sources with their hashes, settings, and the report.

    Raises:
        DataError: as `read_library`, but the content is not checked.
    """
    return _mapped(Path(path))[1]


def write_library(library: BlockLibrary, path: str | Path, notes: Mapping[str, Any]) -> None:
    """Write a library with notes; equal libraries and notes give equal bytes. The file appears whole or not.

    Raises:
        StorageError: the file cannot be written.
    """
    path = Path(path)
    own = {
        **notes,
        "kind": _KIND,
        "format": FORMAT,
        "content": library.fingerprint,
        "templates": [asdict(template) for template in library.templates],
    }
    with replaced(path) as draft:
        _write_arrays(library.arrays(), json.dumps(own, sort_keys=True), draft)


def _write_arrays(arrays: Mapping[str, NDArray[Any]], notes: str, path: Path) -> None:
    """The safetensors layout by hand, because its own writer holds all of the file in memory."""
    codes = {np.dtype(dtype): code for code, dtype in _TYPES.items()}
    header: dict[str, Any] = {"__metadata__": {"notes": notes}}
    ordered = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    end = 0
    for name in ordered:
        start, end = end, end + arrays[name].nbytes
        header[name] = {
            "dtype": codes[arrays[name].dtype],
            "shape": list(arrays[name].shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        for name in ordered:
            stream.write(np.ascontiguousarray(arrays[name]).reshape(-1).view(np.uint8).data)
        stream.flush()
        os.fsync(stream.fileno())


def _mapped(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The arrays of a file, mapped into memory, and its notes."""
    header, start = _header(path)
    try:
        notes = json.loads(header.pop("__metadata__")["notes"])
        kind, version = notes["kind"], notes["format"]
    except (KeyError, TypeError, ValueError):
        kind, version = None, 0
    if kind != _KIND:
        raise DataError(f"{path}: is no library; `fluvial data prepare` writes one.")
    if version > FORMAT:
        raise DataError(f"{path}: has format {version}, this version reads {FORMAT}; use a newer Fluvial.")
    arrays: dict[str, NDArray[Any]] = {}
    try:
        for name, entry in header.items():
            first, last = entry["data_offsets"]
            dtype, shape = np.dtype(_TYPES[entry["dtype"]]), tuple(entry["shape"])
            if last == first:
                arrays[name] = np.zeros(shape, dtype)
            else:
                arrays[name] = np.memmap(path, dtype, "r", start + first, shape)
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise DataError(f"{path}: is cut short or damaged ({error}); prepare it again.") from None
    return arrays, notes


def _header(path: Path) -> tuple[dict[str, Any], int]:
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            text = stream.read(length) if 0 < length <= _MOST_HEADER else b""
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file; `fluvial data prepare` makes a library.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None
    try:
        header = json.loads(text)
    except ValueError:
        header = None
    if not isinstance(header, dict):
        raise DataError(f"{path}: is no library; `fluvial data prepare` writes one.")
    return header, 8 + length
