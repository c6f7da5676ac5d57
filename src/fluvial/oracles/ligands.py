"""Molecules made fit for a tool, or refused before it sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rdkit import Chem, rdBase
from rdkit.Chem.MolStandardize import rdMolStandardize

from fluvial.chem.molecules import canonical_smiles, inchi_key, parse_smiles
from fluvial.core.errors import DataError

ELEMENTS = ("H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Se", "Br", "I")
"""Of molecules that drugs are made of; tools know others by chance only."""
MOST_HEAVY_ATOMS = 128
"""What the affinity module of Boltz takes at most (boltz 2.2.1)."""


@dataclass(frozen=True)
class LigandRules:
    """What a tool accepts, and what is done to a molecule before."""

    elements: tuple[str, ...] = ELEMENTS
    most_heavy_atoms: int = MOST_HEAVY_ATOMS
    neutralise: bool = True
    """Whether acids get their proton and amines lose it, as Boltz does anyway."""


@dataclass(frozen=True)
class Ligand:
    """What is scored, which need not be what was asked about."""

    asked: str
    smiles: str
    """Canonical."""
    inchi_key: str
    changes: tuple[str, ...]
    """What was done to the molecule, in words; empty where it is scored as it came."""
    n_heavy_atoms: int
    n_open_stereocentres: int
    """Centres without a given configuration: the tool chooses one."""


def prepared(text: str, rules: LigandRules) -> Ligand:
    """The largest organic part of a molecule, without isotope labels and, where asked for, uncharged.

    Args:
        text: SMILES.
        rules: of the tool.

    Raises:
        DataError: no SMILES, no carbon, too large, or an element that the tool does not take.
    """
    mol = parse_smiles(text)
    changes = []
    with rdBase.BlockLogs():
        n_parts = len(Chem.GetMolFrags(mol))
        if n_parts > 1:
            mol = rdMolStandardize.LargestFragmentChooser(preferOrganic=True).choose(mol)
            changes.append(f"largest of {n_parts} parts")
        if any(atom.GetIsotope() for atom in mol.GetAtoms()):
            for atom in mol.GetAtoms():
                atom.SetIsotope(0)
            mol = Chem.RemoveHs(mol)
            changes.append("isotope labels removed")
        _check(mol, rules)
        charged = canonical_smiles(mol)
        if rules.neutralise:
            mol = rdMolStandardize.Uncharger().uncharge(mol)
        smiles = canonical_smiles(mol)
        if smiles != charged:
            changes.append("charges neutralised")
        # What was changed must be readable again, for the tool reads only the text.
        mol = parse_smiles(smiles)
        centres = Chem.FindPotentialStereo(mol)
    return Ligand(
        text,
        smiles,
        inchi_key(mol),
        tuple(changes),
        mol.GetNumHeavyAtoms(),
        sum(_is_open_centre(one) for one in centres),
    )


def _is_open_centre(info: Any) -> bool:
    kinds, marks = Chem.StereoType, Chem.StereoSpecified
    return bool(info.type == kinds.Atom_Tetrahedral and info.specified != marks.Specified)


def _check(mol: Chem.Mol, rules: LigandRules) -> None:
    symbols = {atom.GetSymbol() for atom in mol.GetAtoms()}
    if strange := sorted(symbols - set(rules.elements)):
        raise DataError(f"refused before the tool: element {', '.join(strange)} is not accepted")
    if "C" not in symbols:
        raise DataError("refused before the tool: it holds no carbon")
    if any(atom.GetNumRadicalElectrons() for atom in mol.GetAtoms()):
        raise DataError("refused before the tool: it is a radical")
    if mol.GetNumHeavyAtoms() > rules.most_heavy_atoms:
        raise DataError(
            f"refused before the tool: {mol.GetNumHeavyAtoms()} atoms other than hydrogen, "
            f"at most {rules.most_heavy_atoms} are accepted"
        )


def by_molecule(
    texts: Mapping[str, str], rules: LigandRules
) -> tuple[dict[str, list[tuple[str, Ligand]]], dict[str, str]]:
    """Keys and ligands by what is scored, and the reasons why others are refused, by key.

    Two salts of one acid are one calculation.
    """
    groups: dict[str, list[tuple[str, Ligand]]] = {}
    refused: dict[str, str] = {}
    for key, text in texts.items():
        try:
            ligand = prepared(text, rules)
        except DataError as error:
            refused[key] = str(error)
        else:
            groups.setdefault(ligand.smiles, []).append((key, ligand))
    return groups, refused
