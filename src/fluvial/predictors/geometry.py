"""Molecules in space: one conformer that depends on nothing but the molecule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import rdDistGeom

from fluvial.chem.molecules import canonical_smiles, parse_smiles
from fluvial.core.errors import DataError

SEED = 0xF17
"""Of every embedding, so that a molecule always gets the same conformer; arbitrary."""


@dataclass(frozen=True)
class Geometry:
    """A molecule of n atoms, hydrogens among them, and where they are."""

    mol: Chem.Mol
    """With one conformer."""

    @property
    def elements(self) -> NDArray[np.int64]:
        """Atomic numbers, [n]."""
        return np.array([atom.GetAtomicNum() for atom in self.mol.GetAtoms()], dtype=np.int64)

    @property
    def positions(self) -> NDArray[np.float64]:
        """[n, 3], Å."""
        return np.asarray(self.mol.GetConformer().GetPositions(), dtype=np.float64)

    @property
    def charge(self) -> int:
        """Of the whole molecule, in elementary charges."""
        return int(Chem.GetFormalCharge(self.mol))


def embed(mol: Chem.Mol) -> Geometry | str:
    """A molecule with all hydrogens and one conformer by ETKDGv3 (Wang et al. 2020), or why there is none.

    The conformer does not depend on how the atoms are numbered. Nothing relaxes it.
    """
    if mol.GetNumAtoms() == 0:
        return "it has no atoms"
    if (parts := len(Chem.GetMolFrags(mol))) > 1:
        return f"it has {parts} separate parts, whose distance nothing determines"
    with rdBase.BlockLogs():
        try:
            whole = Chem.AddHs(parse_smiles(canonical_smiles(mol)))
        except DataError as error:
            return str(error)
        for from_random in (False, True):
            if _embedded(whole, from_random):
                return Geometry(whole)
    return "no conformer was found for it"


def given_geometry(mol: Chem.Mol) -> Geometry | None:
    """The geometry that a molecule has, if it is in space and all its hydrogens are there; else None."""
    if mol.GetNumConformers() == 0 or not mol.GetConformer().Is3D():
        return None
    if any(atom.GetTotalNumHs() > 0 for atom in mol.GetAtoms()):
        return None
    return Geometry(mol)


def _embedded(mol: Chem.Mol, from_random: bool) -> bool:
    settings: Any = rdDistGeom.ETKDGv3()
    settings.randomSeed = SEED
    settings.useSmallRingTorsions = True
    settings.useRandomCoords = from_random
    try:
        return int(rdDistGeom.EmbedMolecule(mol, settings)) == 0
    except (RuntimeError, ValueError):  # bounds that contradict each other
        return False
