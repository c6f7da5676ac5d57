"""The heavy atoms of a molecule and which are joined: a quick way to see that it is none of some others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from fluvial.chem.synthesis.composition import BITS_64, composition_keys, element_weight, spread
from fluvial.chem.synthesis.texts import Texts

Key = tuple[int, int]
"""Which elements a molecule has, and how many neighbours each atom of each has, as numbers below 2^64; equal
for equal molecules, and hardly ever for others."""

WORTH_ASKING = 4
"""Molecules whose outlines take as long as making one reactant and writing its text; measured roughly."""


@dataclass(frozen=True)
class Outline:
    """Heavy atoms and their bonds, whatever the orders and charges. Sets of atoms are masks of bits."""

    numbers: tuple[int, ...]
    """Atomic numbers of all atoms, those of hydrogen too."""
    neighbours: tuple[int, ...]
    """Set of the heavy neighbours of each atom."""

    @property
    def key(self) -> Key:
        """The key."""
        heavy = [
            (n, near.bit_count()) for n, near in zip(self.numbers, self.neighbours, strict=True) if n != 1
        ]
        elements = sum(element_weight(number) for number, _ in heavy)
        return elements & BITS_64, sum(atom_weight(*one) for one in heavy) & BITS_64


def outline_of(mol: Chem.Mol) -> Outline:
    """The outline of a molecule, which need not be sanitised."""
    numbers = tuple(mol.GetAtomWithIdx(index).GetAtomicNum() for index in range(mol.GetNumAtoms()))
    neighbours = [0] * len(numbers)
    for index in range(mol.GetNumBonds()):
        bond = mol.GetBondWithIdx(index)
        first, second = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        if numbers[first] != 1 and numbers[second] != 1:
            neighbours[first] |= 1 << second
            neighbours[second] |= 1 << first
    return Outline(numbers, tuple(neighbours))


@cache
def atom_weight(number: int, degree: int) -> int:
    """What an atom with so many heavy neighbours adds to a key, before the remainder by 2^64."""
    return spread(256 * (1 + degree) + number)


class KnownOutlines:
    """Keys of many molecules. Which elements they have is read off their texts. The second number is found
    out for all with the same elements together, once it pays: most elements are asked for rarely.

    Args:
        smiles: of the molecules.
    """

    def __init__(self, smiles: Texts) -> None:
        keys = composition_keys(smiles)
        self._smiles, self._order = smiles, np.argsort(keys, kind="stable")
        self._sorted = keys[self._order]
        self._elements = frozenset(keys.tolist())
        self._asked: defaultdict[int, int] = defaultdict(int)
        self._shapes: dict[int, frozenset[int]] = {}

    def may_have(self, elements: int, shape: Callable[[], int]) -> bool:
        """Whether one of the molecules may have a key; False is certain.

        Args:
            elements: the first number.
            shape: finds the second one.
        """
        if elements not in self._elements:
            return False
        known = self._shapes.get(elements)
        if known is None:
            self._asked[elements] += 1
            same = self._with(elements)
            if self._asked[elements] * WORTH_ASKING < len(same):
                return True
            texts = (self._smiles[int(number)] for number in same)
            known = frozenset(outline_of(Chem.MolFromSmiles(text, sanitize=False)).key[1] for text in texts)
            self._shapes[elements] = known
            del self._asked[elements]
        return shape() in known

    def _with(self, elements: int) -> NDArray[np.int64]:
        """Numbers of the molecules with these elements."""
        ends = (np.searchsorted(self._sorted, np.uint64(elements), side) for side in ("left", "right"))
        return self._order[slice(*map(int, ends))]
