"""The elements of molecules as one number each: a quick way to see that two molecules differ."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from fluvial.chem.synthesis.texts import Texts

BITS_64 = 2**64 - 1
_SPREAD = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
"""Of splitmix64 (Steele et al. 2014, doi:10.1145/2660193.2660195), which spreads numbers over all 64 bits."""
_LETTERS = {
    **{
        letter: ((number, 1),) for letter, number in zip("BCFINOPS", (5, 6, 9, 53, 7, 8, 15, 16), strict=True)
    },
    **{letter: ((number, 1),) for letter, number in zip("bcnops", (5, 6, 7, 8, 15, 16), strict=True)},
    "l": ((17, 1), (6, -1)),  # Cl, whose C was counted as carbon
    "r": ((35, 1), (5, -1)),  # Br
    "i": ((14, 1), (16, -1)),  # Si
    "e": ((34, 1), (16, -1)),  # Se
    "H": (),
}

_RARE = re.compile(rb"\[\d*(?!Cl|Br|Si|Se)[A-Z][a-z]")
"""Elements of two letters that the table takes for two of one letter."""


def composition_key(mol: Chem.Mol) -> int:
    """A number below 2^64 that only the heavy atoms of a molecule decide; it need not be sanitised."""
    numbers = (atom.GetAtomicNum() for atom in mol.GetAtoms())
    return sum(element_weight(number) for number in numbers if number != 1) & BITS_64


def composition_keys(smiles: Texts) -> NDArray[np.uint64]:
    """uint64 [N], the key of each molecule, read off its text without making molecules."""
    table = np.zeros(256, np.uint64)
    for letter, parts in _LETTERS.items():
        table[ord(letter)] = sum(count * element_weight(number) for number, count in parts) & BITS_64
    letters = {chr(byte) for byte in np.unique(smiles.content)}
    is_known = all(letter in _LETTERS for letter in letters if letter.isalpha())
    if not is_known or _RARE.search(smiles.content.data):
        keys = (composition_key(Chem.MolFromSmiles(text, sanitize=False)) for text in smiles)
        return np.fromiter(keys, np.uint64, len(smiles))
    sums = np.cumsum(table[smiles.content])
    at_ends = sums[smiles.ends - 1]
    return np.diff(at_ends, prepend=np.uint64(0))


@cache
def element_weight(number: int) -> int:
    """What an atom of an atomic number adds to a key, before the remainder by 2^64."""
    return spread(number)


def spread(number: int) -> int:
    """Another number below 2^64 for each one below 2^64, so that sums of few hardly ever agree."""
    mixed = (number + 0x9E3779B97F4A7C15) & BITS_64
    mixed = ((mixed ^ mixed >> 30) * _SPREAD[0]) & BITS_64
    mixed = ((mixed ^ mixed >> 27) * _SPREAD[1]) & BITS_64
    return mixed ^ mixed >> 31
