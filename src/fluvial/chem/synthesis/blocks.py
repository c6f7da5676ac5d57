"""Building blocks: what they are, and the packaged ones."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_PACKAGED = Path(__file__).parents[1] / "data" / "blocks.csv"


@dataclass(frozen=True)
class Block:
    """One building block."""

    smiles: str
    """Canonical."""
    identifier: str = ""
    """What the supplier calls it; empty where the catalogue has no name for it."""
    supplier: str | None = None
    price: float | None = None
    """In the catalogue's unit; None where it is not known."""


@lru_cache(maxsize=1)
def embedded_blocks() -> tuple[Block, ...]:
    """The packaged common blocks without prices, small ones first."""
    with _PACKAGED.open(encoding="ascii", newline="") as stream:
        return tuple(Block(row["smiles"], row["id"]) for row in csv.DictReader(stream))
