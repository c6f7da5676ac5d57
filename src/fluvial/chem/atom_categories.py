"""Molecules as small integers for networks: categories of atoms and of pairs of atoms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

ELEMENTS = (5, 6, 7, 8, 9, 14, 15, 16, 17, 34, 35, 53)
"""Atomic numbers with a category of their own; all others share one."""
MOST_HYDROGENS, MOST_CHARGE, MOST_DEGREE, FARTHEST = 4, 2, 6, 8
"""Larger values count as these."""
ATOM_SIZES = (
    len(ELEMENTS) + 2,
    MOST_HYDROGENS + 2,
    2 * MOST_CHARGE + 2,
    MOST_DEGREE + 2,
    len(Chem.HybridizationType.values) + 1,
    4,
    len(Chem.ChiralType.values) + 1,
)
"""Categories of element, hydrogens, charge, degree, hybridisation, ring (none, aliphatic, aromatic) and
chirality, the 0 for no atom included."""
BONDS = (Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE, Chem.BondType.AROMATIC)
PAIR_SIZES = (len(BONDS) + 2, FARTHEST + 2)
"""Categories of the bond, any other kind the last, and of the distance in bonds; 0 where there is none."""

_ELEMENT = {number: place + 1 for place, number in enumerate(ELEMENTS)}
_BOND = {kind: place + 1 for place, kind in enumerate(BONDS)}


def atom_categories(mol: Chem.Mol) -> NDArray[np.uint8]:
    """Categories of the atoms in their order, uint8 [atoms, 7], each from 1."""
    rows = [_atom(mol.GetAtomWithIdx(index)) for index in range(mol.GetNumAtoms())]
    return np.array(rows, dtype=np.uint8).reshape(-1, len(ATOM_SIZES))


def pair_categories(mol: Chem.Mol) -> NDArray[np.uint8]:
    """Categories of pairs of atoms, uint8 [atoms, atoms, 2]: bond, and distance from 1 (1 bond apart) up."""
    n_atoms = mol.GetNumAtoms()
    pairs = np.zeros((n_atoms, n_atoms, 2), dtype=np.uint8)
    if n_atoms:
        pairs[:, :, 1] = np.minimum(Chem.GetDistanceMatrix(mol), FARTHEST + 1)
    for index in range(mol.GetNumBonds()):
        bond = mol.GetBondWithIdx(index)
        first, second = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        kind = _BOND.get(bond.GetBondType(), PAIR_SIZES[0] - 1)
        pairs[first, second, 0] = pairs[second, first, 0] = kind
    return pairs


def _atom(atom: Chem.Atom) -> tuple[int, ...]:
    return (
        _ELEMENT.get(atom.GetAtomicNum(), ATOM_SIZES[0] - 1),
        1 + min(MOST_HYDROGENS, atom.GetTotalNumHs()),
        1 + MOST_CHARGE + max(-MOST_CHARGE, min(MOST_CHARGE, atom.GetFormalCharge())),
        1 + min(MOST_DEGREE, atom.GetDegree()),
        1 + int(atom.GetHybridization()),
        1 + atom.IsInRing() + atom.GetIsAromatic(),
        1 + int(atom.GetChiralTag()),
    )
