"""What the text of one SMARTS atom fixes: elements, aromaticity, charge, hydrogens; texts of bonds."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar

from rdkit import Chem

_SYMBOL = re.compile(r"#(\d+)|(Cl|Br|Si|Se|As|Li|Mg|Zn|Sn|Na|[BCNOPSFIK])|(se|as|[bcnops])")
_CHARGE = re.compile(r"([+-])(\d*)")
_HYDROGENS = re.compile(r"H(\d*)")
_RECURSION = "$("
MOST_ALTERNATIVES = 32
"""Most alternatives of one atom that are told apart; arbitrary."""

T = TypeVar("T")


@dataclass(frozen=True)
class AtomText:
    """What every atom that a SMARTS atom matches has in common; None where it is not fixed."""

    elements: frozenset[int] | None
    """Atomic numbers."""
    is_aromatic: bool | None
    charge: int | None
    n_hydrogens: int | None


def atom_text(atom: Chem.Atom) -> AtomText:
    """What the query atom of a template fixes."""
    return _parsed(_content(atom))


def atom_options(atom: Chem.Atom) -> tuple[AtomText, ...]:
    """The same for each of its alternatives: an atom that it matches fits one of them."""
    return _alternatives(_content(atom))


def _content(atom: Chem.Atom) -> str:
    text = atom.GetSmarts()
    return re.sub(r":\d+$", "", text[1:-1] if text.startswith("[") else text)


def bond_text(bond: Chem.Bond) -> str:
    """The SMARTS of a bond; empty for one that is single or aromatic."""
    return str(bond.GetSmarts())  # type: ignore[call-arg]


def required_parts(atom: Chem.Atom) -> list[str]:
    """SMARTS of the environments, each from the atom on, that every match of a query atom has."""
    options = [_split(clause, ",") for clause in _split(_content(atom), ";")]
    return [part for clause in options if len(clause) == 1 for part in _without_recursions(clause[0])[1]]


@lru_cache(4096)
def _parsed(text: str) -> AtomText:
    """What a bracket's content fixes: clauses between `;` hold together, of options between `,` one holds."""
    return _together([_options(_split(clause, ",")) for clause in _split(text, ";")])


@lru_cache(4096)
def _alternatives(text: str) -> tuple[AtomText, ...]:
    """What each choice of one option of every clause fixes."""
    clauses = [[_all_of(option) for option in _split(clause, ",")] for clause in _split(text, ";")]
    if math.prod(map(len, clauses)) > MOST_ALTERNATIVES:
        return (_parsed(text),)
    return tuple(dict.fromkeys(map(_together, itertools.product(*clauses))))


def _together(parts: Sequence[AtomText]) -> AtomText:
    """What holds where all parts do."""
    elements = [one.elements for one in parts if one.elements is not None]
    return AtomText(
        frozenset.intersection(*elements) if elements else None,
        _first(one.is_aromatic for one in parts),
        _first(one.charge for one in parts),
        _first(one.n_hydrogens for one in parts),
    )


def _options(options: list[str]) -> AtomText:
    parsed = [_all_of(option) for option in options]
    elements = [one.elements for one in parsed if one.elements is not None]
    return AtomText(
        frozenset().union(*elements) if len(elements) == len(parsed) else None,
        _agreed([one.is_aromatic for one in parsed]),
        _agreed([one.charge for one in parsed]),
        _agreed([one.n_hydrogens for one in parsed]),
    )


def _all_of(text: str) -> AtomText:
    """One option: primitives that hold together, such as `N&H2&$(N[#6])`."""
    plain, recursions = _without_recursions(text)
    return _together(
        [_primitives(plain)] + [_parsed(first) for first in map(_first_atom, recursions) if first]
    )


def _primitives(text: str) -> AtomText:
    found = AtomText(None, None, None, None)
    for word in text.split("&"):
        symbol, hydrogens = _SYMBOL.fullmatch(word), _HYDROGENS.fullmatch(word)
        if symbol:
            found = replace(found, **_element(*symbol.groups()))
        elif hydrogens:
            found = replace(found, n_hydrogens=int(hydrogens.group(1) or 1))
        elif charge := _CHARGE.fullmatch(word):
            size = int(charge.group(2) or 1)
            found = replace(found, charge=size if charge.group(1) == "+" else -size)
    return found


def _element(number: str | None, aliphatic: str | None, aromatic: str | None) -> dict[str, Any]:
    if number:
        return {"elements": frozenset([int(number)])}
    symbol = aliphatic or str(aromatic).capitalize()
    number_of = Chem.GetPeriodicTable().GetAtomicNumber(symbol)
    return {"elements": frozenset([number_of]), "is_aromatic": aliphatic is None}


def _split(text: str, sign: str) -> list[str]:
    """Parts between the signs that stand outside all brackets."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(text):
        depth += (letter in "([") - (letter in ")]")
        if letter == sign and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]


def _without_recursions(text: str) -> tuple[str, list[str]]:
    """The text without its `$(...)`, and the contents of those that are not negated."""
    plain, recursions, place = "", [], 0
    while (start := text.find(_RECURSION, place)) >= 0:
        depth, end = 1, start + len(_RECURSION)
        while depth and end < len(text):
            depth += (text[end] == "(") - (text[end] == ")")
            end += 1
        plain += text[place:start]
        if not plain.endswith("!"):
            recursions.append(text[start + len(_RECURSION) : end - 1])
        place = end
    return plain + text[place:], recursions


def _first_atom(smarts: str) -> str:
    """The content of the first atom of a SMARTS text."""
    if smarts.startswith("["):
        depth = 0
        for place, letter in enumerate(smarts):
            depth += (letter == "[") - (letter == "]")
            if depth == 0:
                return smarts[1:place]
    found = _SYMBOL.match(smarts)
    return found.group() if found else ""


def _first(values: Iterable[T | None]) -> T | None:
    return next((value for value in values if value is not None), None)


def _agreed(values: Sequence[T | None]) -> T | None:
    return values[0] if all(value == values[0] for value in values) else None
