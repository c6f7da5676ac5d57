"""Files as streams of bytes and of lines, packed by gzip or not."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from fluvial.core.errors import DataError

PACKED = ".gz"
_NOT_TEXT = re.compile("[\udc80-\udcff]")
"""What `surrogateescape` makes of bytes that are not UTF-8; UTF-8 itself cannot write it."""


def ending(path: Path) -> str:
    """What the name ends in, in small letters and without .gz, such as ".csv"."""
    return Path(path.stem if is_packed(path) else path.name).suffix.lower()


def is_packed(path: Path) -> bool:
    """Whether the name says that the file is packed by gzip."""
    return path.suffix.lower() == PACKED


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The content of a file, unpacked as it is read.

    Raises:
        DataError: there is no such file, it cannot be read, or what should be packed by gzip is not.
    """
    try:
        with _stream(path) as stream:
            yield stream
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file.") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: is damaged or not packed by gzip ({error}).") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None


def _stream(path: Path) -> BinaryIO:
    try:
        return cast(BinaryIO, gzip.open(path, "rb")) if is_packed(path) else path.open("rb")
    except ValueError as error:  # a name that no file can have
        raise DataError(f"{path} cannot be read: {error}.") from None


def text_lines(stream: BinaryIO, path: Path) -> Iterator[str]:
    """The lines of UTF-8 text with their ends, whatever those are; a byte order mark is passed over.

    Raises:
        DataError: bytes that are not UTF-8, with their line.
    """
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    for number, line in enumerate(text, 1):
        if not line.isascii() and _NOT_TEXT.search(line):
            raise DataError(f"{path}:{number}: is not UTF-8 text; save the file as UTF-8.")
        yield line


def holds(path: Path, word: bytes, longest_line: int = 1 << 16) -> bool:
    """Whether a line of the file holds `word`; read up to there only."""
    with opened(path) as stream:
        return any(word in line for line in iter(lambda: stream.readline(longest_line), b""))
