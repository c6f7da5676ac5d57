"""Molecules as small integers for networks: categories of atoms and of pairs of atoms."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from fluvial.chem.molecules import bond_orders, bonds_apart

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
BOND_ORDERS = (1.0, 2.0, 3.0, 1.5)
PAIR_SIZES = (len(BOND_ORDERS) + 2, FARTHEST + 2)
"""Categories of the bond, any other kind the last, and of the distance in bonds; 0 where there is none."""

_ELEMENT = {number: place + 1 for place, number in enumerate(ELEMENTS)}
_BOND = np.full(16, PAIR_SIZES[0] - 1, dtype=np.uint8)
"""Category of a bond by 1 + twice its order, of none by 0."""
_BOND[[0, *(1 + round(2 * order) for order in BOND_ORDERS)]] = range(1 + len(BOND_ORDERS))


def atom_categories(mol: Chem.Mol) -> NDArray[np.uint8]:
    """Categories of the atoms in their order, uint8 [atoms, 7], each from 1."""
    rows = [_atom(mol.GetAtomWithIdx(index)) for index in range(mol.GetNumAtoms())]
    return np.array(rows, dtype=np.uint8).reshape(-1, len(ATOM_SIZES))


def pair_categories(mol: Chem.Mol) -> NDArray[np.uint8]:
    """Categories of pairs of atoms, uint8 [atoms, atoms, 2]: bond, and distance from 1 (1 bond apart) up."""
    n_atoms = mol.GetNumAtoms()
    pairs = np.zeros((n_atoms, n_atoms, 2), dtype=np.uint8)
    if n_atoms:
        orders = bond_orders(mol)
        kinds = _BOND[np.where(orders >= 0.0, 1.0 + 2.0 * orders, 0.0).astype(np.int64)]
        pairs[:, :, 0] = np.maximum(kinds, kinds.T)
        pairs[:, :, 1] = np.minimum(bonds_apart(mol), FARTHEST + 1)
    return pairs


def _atom(atom: Chem.Atom) -> tuple[int, ...]:
    return _row(
        atom.GetAtomicNum(),
        atom.GetTotalNumHs(),
        atom.GetFormalCharge(),
        atom.GetDegree(),
        atom.GetHybridization(),
        atom.IsInRing() + atom.GetIsAromatic(),
        atom.GetChiralTag(),
    )


@lru_cache(maxsize=10_000)
def _row(
    element: int, hydrogens: int, charge: int, degree: int, hybridisation: int, ring: int, chirality: int
) -> tuple[int, ...]:
    return (
        _ELEMENT.get(element, ATOM_SIZES[0] - 1),
        1 + min(MOST_HYDROGENS, hydrogens),
        1 + MOST_CHARGE + max(-MOST_CHARGE, min(MOST_CHARGE, charge)),
        1 + min(MOST_DEGREE, degree),
        1 + int(hybridisation),
        1 + ring,
        1 + int(chirality),
    )
