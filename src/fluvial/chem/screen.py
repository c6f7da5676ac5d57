"""Which of many substructure queries a molecule can match at all, by its atoms and bonds alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from rdkit import Chem

from fluvial.chem.molecules import bond_orders
from fluvial.chem.smarts_atoms import AtomText, atom_options, bond_text, required_parts

AtomKind = tuple[int, bool, int, int]
"""Atomic number, whether it is aromatic, hydrogens, charge."""
Need = tuple[tuple[AtomText, ...], str, tuple[AtomText, ...]]
"""Alternatives of two bonded atoms and the text of their bond; of one atom with itself by no bond."""

_NO_BOND = "alone"
_ORDERS = {"": (1.0, 1.5), "-": (1.0,), "=": (2.0,), "#": (3.0,), ":": (1.5,)}
"""Texts of bonds that only bonds of some orders match; any bond may match another text."""
_ALONE = -1.0
"""Order of no bond."""


class Screen:
    """What each query needs of a molecule, so that most are ruled out without a substructure search.

    A query needs its atoms and its bonds with what their texts fix, and those of the environments that its
    atoms are written to have. What it asks for besides is left to the search.

    Args:
        queries: Q molecules read from SMARTS.
    """

    def __init__(self, queries: Sequence[Chem.Mol]) -> None:
        places: dict[Need, int] = {}
        self._needs = [
            sum({1 << places.setdefault(need, len(places)) for need in _needs(query)}) for query in queries
        ]
        self._needed = tuple(places)
        self._number: dict[AtomKind, int] = {}
        self._met = lru_cache(maxsize=None)(self._met_by)
        self._left = lru_cache(maxsize=4096)(self._left_by)

    def possible(self, mol: Chem.Mol) -> tuple[int, ...]:
        """Ascending numbers of the queries that a sanitised molecule may match; all others it does not."""
        kinds = [_kind(mol.GetAtomWithIdx(index)) for index in range(mol.GetNumAtoms())]
        number = self._number
        numbers = np.array([number.setdefault(kind, len(number)) for kind in kinds], dtype=np.int64)
        orders = bond_orders(mol)
        first, second = (orders >= 0).nonzero()
        bonded = zip(
            numbers[first].tolist(), orders[first, second].tolist(), numbers[second].tolist(), strict=True
        )
        met = 0
        for pair in {*((one, _ALONE, one) for one in numbers.tolist()), *bonded}:
            met |= self._met(*pair)
        return self._left(met)

    def _left_by(self, met: int) -> tuple[int, ...]:
        return tuple(number for number, needs in enumerate(self._needs) if not needs & ~met)

    def _met_by(self, first: int, order: float, second: int) -> int:
        """The needs that a bond between atoms of two kinds meets, or an atom alone, one bit for each."""
        kinds = tuple(self._number)
        one, other = kinds[first], kinds[second]
        return sum(1 << place for place, need in enumerate(self._needed) if _meets(need, one, order, other))


def _needs(query: Chem.Mol) -> Iterator[Need]:
    for index in range(query.GetNumAtoms()):
        atom = query.GetAtomWithIdx(index)
        yield atom_options(atom), _NO_BOND, atom_options(atom)
        for part in required_parts(atom):
            mol = Chem.MolFromSmarts(part)
            if mol is not None:
                yield from _needs(mol)
    for index in range(query.GetNumBonds()):
        bond = query.GetBondWithIdx(index)
        yield atom_options(bond.GetBeginAtom()), bond_text(bond), atom_options(bond.GetEndAtom())


def _meets(need: Need, first: AtomKind, order: float, second: AtomKind) -> bool:
    one, text, other = need
    if (text == _NO_BOND) != (order == _ALONE) or order not in _ORDERS.get(text, (order,)):
        return False
    return (_fits(one, first) and _fits(other, second)) or (_fits(one, second) and _fits(other, first))


def _fits(options: tuple[AtomText, ...], kind: AtomKind) -> bool:
    element, is_aromatic, n_hydrogens, charge = kind
    return any(
        (text.elements is None or element in text.elements)
        and text.is_aromatic in (None, is_aromatic)
        and text.n_hydrogens in (None, n_hydrogens)
        and text.charge in (None, charge)
        for text in options
    )


def _kind(atom: Chem.Atom) -> AtomKind:
    return atom.GetAtomicNum(), atom.GetIsAromatic(), atom.GetTotalNumHs(True), atom.GetFormalCharge()
