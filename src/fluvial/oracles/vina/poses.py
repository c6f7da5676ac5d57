"""Ligands on their way to Vina and back."""

from __future__ import annotations

from collections.abc import Sequence

from rdkit import Chem, rdBase
from rdkit.Chem import rdForceFieldHelpers

from fluvial.chem.molecules import parse_smiles
from fluvial.core.errors import DataError
from fluvial.predictors.geometry import embed

RELAX_STEPS = 500
"""Of MMFF94; arbitrary, enough for bond lengths and angles, which docking does not change."""


def ligand_pdbqt(smiles: str) -> str:
    """A molecule as PDBQT: its ETKDG conformer, relaxed by MMFF94 where that knows its atoms.

    Raises:
        DataError: no conformer was found, or it has no docking types.
    """
    from meeko import MoleculePreparation, PDBQTWriterLegacy

    geometry = embed(parse_smiles(smiles))
    if isinstance(geometry, str):
        raise DataError(geometry)
    mol = geometry.mol
    with rdBase.BlockLogs():
        if rdForceFieldHelpers.MMFFHasAllMoleculeParams(mol):
            rdForceFieldHelpers.MMFFOptimizeMolecule(mol, maxIters=RELAX_STEPS)
    try:
        setup = MoleculePreparation().prepare(mol)[0]
        text, is_good, message = PDBQTWriterLegacy.write_string(setup)
    except (RuntimeError, ValueError, KeyError, IndexError) as error:
        raise DataError(f"it cannot be prepared for docking: {' '.join(str(error).split())}") from None
    if not is_good:
        raise DataError(f"it cannot be prepared for docking: {' '.join(message.split())}")
    return str(text)


def poses_sdf(pdbqt: str, energies: Sequence[float]) -> str:
    """Poses as an SD file, each with its score as the data item `affinity`.

    Args:
        pdbqt: as Vina writes it, of a ligand of `ligand_pdbqt`.
        energies: of the poses, kcal/mol.
    """
    from meeko import PDBQTMolecule, RDKitMolCreate

    mol = RDKitMolCreate.from_pdbqt_mol(PDBQTMolecule(pdbqt, skip_typing=True))[0]
    blocks = []
    for place, (conformer, energy) in enumerate(zip(mol.GetConformers(), energies, strict=False)):
        block = Chem.MolToMolBlock(mol, confId=conformer.GetId())
        blocks.append(f"{block}>  <affinity>\n{energy:.3f}\n\n>  <pose>\n{place + 1}\n\n$$$$\n")
    return "".join(blocks)
