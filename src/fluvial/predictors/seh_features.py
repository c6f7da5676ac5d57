"""Molecules as the network for sEH sees them: 71 numbers for each heavy atom, four kinds of bonds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

N_FEATURES = 71
N_ELEMENTS = 56
"""Elements up to barium have a feature of their own."""

_NAMED_ELEMENTS = {1: 0, 6: 1, 7: 2, 8: 3, 9: 4}
_OTHER_ELEMENT = 5
_AROMATIC, _N_HYDROGENS, _FIRST_ELEMENT = 9, 13, 14  # 6 to 8 and 70 are never set for whole molecules
_HYBRIDS = {Chem.HybridizationType.SP: 10, Chem.HybridizationType.SP2: 11, Chem.HybridizationType.SP3: 12}
_NO_HYBRID = 0
BOND_KINDS = {
    Chem.BondType.SINGLE: 0,
    Chem.BondType.DOUBLE: 1,
    Chem.BondType.TRIPLE: 2,
    Chem.BondType.AROMATIC: 3,
}

AtomKind = tuple[int, bool, int, int]
"""Atomic number, whether it is aromatic, feature of its hybridisation, number of hydrogens."""


@dataclass(frozen=True)
class PackedMolecules:
    """N atoms and E directed bonds of B molecules, one after the other."""

    kinds: NDArray[np.float32]
    """[U, 71], the different atoms."""
    kind: NDArray[np.int64]
    """[N], row of `kinds`."""
    source: NDArray[np.int64]
    """[E], atom that a bond starts from; each bond stands in both directions."""
    target: NDArray[np.int64]
    """[E], ascending."""
    bond: NDArray[np.int64]
    """[E], number out of `BOND_KINDS`."""
    molecule: NDArray[np.int64]
    """[N], ascending."""
    count: int
    """B."""


@dataclass(frozen=True)
class Unpacked:
    """One molecule that the network can read."""

    atoms: list[AtomKind]
    bonds: list[tuple[int, int, int]]
    """First atom, second atom, number out of `BOND_KINDS`."""


def read(mol: Chem.Mol) -> Unpacked | str:
    """The atoms and bonds of a molecule, or why the network cannot read it."""
    atoms = [_kind(atom) for atom in mol.GetAtoms()]
    if not atoms:
        return "it has no atoms"
    odd = [element for element, *_ in set(atoms) if not 1 <= element <= N_ELEMENTS]
    if odd:
        symbol = Chem.GetPeriodicTable().GetElementSymbol(odd[0])
        return f"element {symbol} is not known to the sEH proxy; those from H to Ba are"
    bonds = []
    for bond in mol.GetBonds():
        kind = BOND_KINDS.get(bond.GetBondType())
        if kind is None:
            return f"bonds of the type {bond.GetBondType()} are not known to the sEH proxy"
        bonds.append((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), kind))
    return Unpacked(atoms, bonds)


def pack(molecules: Sequence[Unpacked]) -> PackedMolecules:
    """Molecules as one graph."""
    rows: dict[AtomKind, int] = {}
    kind: list[int] = []
    bonds: list[tuple[int, int, int]] = []
    sizes = []
    for molecule in molecules:
        start = len(kind)
        kind += [rows.setdefault(atom, len(rows)) for atom in molecule.atoms]
        for first, second, number in molecule.bonds:
            bonds.append((second + start, first + start, number))
            bonds.append((first + start, second + start, number))
        sizes.append(len(molecule.atoms))
    bonds.sort()
    table = np.array(bonds, dtype=np.int64).reshape(-1, 3)
    return PackedMolecules(
        kinds=_features(list(rows)),
        kind=np.array(kind, dtype=np.int64),
        source=table[:, 1],
        target=table[:, 0],
        bond=table[:, 2],
        molecule=np.repeat(np.arange(len(molecules)), sizes),
        count=len(molecules),
    )


def _kind(atom: Chem.Atom) -> AtomKind:
    hybrid = _HYBRIDS.get(atom.GetHybridization(), _NO_HYBRID)
    return atom.GetAtomicNum(), atom.GetIsAromatic(), hybrid, atom.GetTotalNumHs(True)


def _features(kinds: Sequence[AtomKind]) -> NDArray[np.float32]:
    features = np.zeros((len(kinds), N_FEATURES), dtype=np.float32)
    for row, (element, is_aromatic, hybrid, n_hydrogens) in zip(features, kinds, strict=True):
        row[_NAMED_ELEMENTS.get(element, _OTHER_ELEMENT)] = 1.0
        row[_AROMATIC] = is_aromatic
        row[_N_HYDROGENS] = n_hydrogens
        row[_FIRST_ELEMENT + element - 1] = 1.0
        if hybrid != _NO_HYBRID:
            row[hybrid] = 1.0
    return features
