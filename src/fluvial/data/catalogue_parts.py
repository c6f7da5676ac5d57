"""Parts of a catalogue: rows into arrays in files, and these into one library."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fluvial.chem.synthesis.cleaning import Cleaning, cleaned
from fluvial.chem.synthesis.library import BlockLibrary, packed_compatibility, packed_fingerprints
from fluvial.chem.synthesis.patterns import Patterns
from fluvial.chem.synthesis.reactions import reactions_of
from fluvial.chem.synthesis.templates import Template
from fluvial.chem.synthesis.texts import Texts
from fluvial.core.files import replaced
from fluvial.data.columns import Cell, Columns, Row, as_number, is_unknown
from fluvial.data.tables import read_rows
from fluvial.data.tally import Tally

if TYPE_CHECKING:
    from fluvial.data.preparing import CatalogueColumns

BAD_PRICE = "kept without a price, since theirs is no positive number"
_TEXTS = ("smiles", "identifiers", "suppliers")


@dataclass(frozen=True)
class Entry:
    """One row of a catalogue."""

    place: str
    text: str
    problem: str
    identifier: str
    supplier: str
    price: float | None
    has_bad_price: bool


def entries(path: Path, wanted: Columns, columns: CatalogueColumns) -> Iterator[Entry]:
    """The rows of a catalogue's file in order, the bad ones with their problems.

    Raises:
        DataError: the file cannot be read, or lacks a column.
    """
    for row in read_rows(path, wanted):
        price = _cell(row, columns.price)
        number = as_number(price)
        is_price = number is not None and number >= 0
        yield Entry(
            f"{path.name}, {row.place}",
            row.text,
            row.problem,
            row.name if columns.identifier is None else _word(_cell(row, columns.identifier)),
            _word(_cell(row, columns.supplier)),
            number if is_price else None,
            not (is_price or is_unknown(price)),
        )


def make_part(path: Path, rows: Sequence[Entry], settings: dict[str, Any]) -> None:
    """Write the blocks of some rows as arrays to a file, which appears whole or not.

    Args:
        path: the file.
        rows: of the catalogue.
        settings: those of `prepare_library`, as plain values.
    """
    cleaning = Cleaning(**{**settings["cleaning"], "elements": tuple(settings["cleaning"]["elements"])})
    patterns = _patterns(json.dumps(settings["templates"]))
    dropped: list[tuple[str, str]] = []
    kept, mols, smiles = [], [], []
    for row in rows:
        mol, said = (None, row.problem) if row.problem else cleaned(row.text, cleaning)
        if mol is None:
            dropped.append((said, f"{row.place}: {row.text or row.problem}"))
        else:
            kept.append(row)
            mols.append(mol)
            smiles.append(said)
    arrays: dict[str, NDArray[Any]] = {
        "prices": np.array([math.nan if row.price is None else row.price for row in kept], np.float64),
        "matches": np.packbits(patterns.matches_of_many(mols), axis=1),
        "fingerprints": packed_fingerprints(mols),
    }
    texts = (smiles, [row.identifier for row in kept], [row.supplier for row in kept])
    for name, one in zip(_TEXTS, map(Texts.of, texts), strict=True):
        arrays |= {f"{name}.content": one.content, f"{name}.ends": one.ends}
    notes = {
        "n_rows": len(rows),
        "dropped": dropped,
        "bad_prices": [f"{row.place}: {row.text}" for row in kept if row.has_bad_price],
    }
    arrays["notes"] = np.frombuffer(json.dumps(notes).encode(), np.uint8)
    with replaced(path) as draft, draft.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]  # the stub takes the arrays for its flag


def join_parts(paths: Sequence[Path], templates: Sequence[Template]) -> tuple[BlockLibrary, dict[str, Any]]:
    """The library of all parts, each molecule once, and what became of the rows as plain values."""
    union = _Union()
    for path in paths:
        with np.load(path, allow_pickle=False) as part:
            union.add(part)
    patterns = Patterns(reactions_of(templates))
    matches = union.rows["matches"] or [np.zeros((0, -(-len(patterns.queries) // 8)), np.uint8)]
    packed = np.concatenate(matches)
    library = BlockLibrary(
        Texts.of(list(union.number)),
        Texts.of(union.texts["identifiers"]),
        Texts.of(union.texts["suppliers"]),
        np.array(union.prices, np.float64),
        tuple(templates),
        packed_compatibility(packed, patterns),
        np.concatenate([packed_fingerprints([]), *union.rows["fingerprints"]]),
    )
    return library, {**union.report(), "n_matching_nothing": int((~packed.any(axis=1)).sum())}


class _Union:
    """What several parts hold together."""

    def __init__(self) -> None:
        self.number: dict[str, int] = {}
        self.texts: dict[str, list[str]] = {name: [] for name in _TEXTS[1:]}
        self.prices: list[float] = []
        self.rows: dict[str, list[NDArray[Any]]] = {"matches": [], "fingerprints": []}
        self.n_duplicates = 0
        self.dropped, self.remarks = Tally(), Tally()

    def add(self, part: Any) -> None:
        """Take in one more part, which holds arrays by name."""
        columns = [Texts(part[f"{name}.content"], part[f"{name}.ends"]) for name in _TEXTS]
        n_before, is_new = len(self.number), np.ones(len(columns[0]), bool)
        for place, (smiles, *named, price) in enumerate(zip(*columns, part["prices"].tolist(), strict=True)):
            known = self.number.setdefault(smiles, len(self.number))
            if known < len(self.prices):
                is_new[place] = False
                self._offer(known, named, price)
            else:
                self.prices.append(price)
                for own, text in zip(self.texts.values(), named, strict=True):
                    own.append(text)
        self.n_duplicates += len(is_new) - (len(self.number) - n_before)
        for name, found in self.rows.items():
            found.append(part[name][is_new])
        self._count(json.loads(part["notes"].tobytes()))

    def report(self) -> dict[str, Any]:
        """What became of the rows."""
        reasons = {
            name: [[reason.what, reason.count, list(reason.examples)] for reason in tally.reasons()]
            for name, tally in (("dropped", self.dropped), ("remarks", self.remarks))
        }
        n_rows = self.dropped.n_rows
        return {
            "n_rows": n_rows,
            "n_blocks": len(self.number),
            "n_duplicates": self.n_duplicates,
            **reasons,
        }

    def _offer(self, known: int, named: Sequence[str], price: float) -> None:
        """One more offer of a molecule: the cheapest that has a price counts, else the first."""
        old = self.prices[known]
        if price < old or (math.isnan(old) and not math.isnan(price)):
            self.prices[known] = price
            for own, text in zip(self.texts.values(), named, strict=True):
                own[known] = text

    def _count(self, notes: dict[str, Any]) -> None:
        for _ in range(notes["n_rows"] - len(notes["dropped"])):
            self.dropped.add()
        for reason, example in notes["dropped"]:
            self.dropped.add(reason, example)
        for example in notes["bad_prices"]:
            self.remarks.add(BAD_PRICE, example)


@lru_cache(maxsize=1)
def _patterns(templates: str) -> Patterns:
    """The queries of templates written as JSON; a process makes them once for all its parts."""
    return Patterns(reactions_of([Template(**one) for one in json.loads(templates)]))


def _cell(row: Row, name: str | None) -> Cell:
    return None if name is None or row.further is None else row.further[name]


def _word(cell: Cell) -> str:
    return "" if cell is None else str(cell)
