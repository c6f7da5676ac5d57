"""Small pieces of SQL that the run store and the queue share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

CHUNK = 500
"""Values in one IN list; SQLite builds of before 2020 allow 999 parameters."""


def chunks(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Parts of at most `CHUNK`."""
    return (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))


def quoted(names: tuple[str, ...]) -> str:
    """Names of ours as a list of SQL texts."""
    return ", ".join(f"'{name}'" for name in names)
