from __future__ import annotations

from types import SimpleNamespace

from rdkit import Chem


class MoleculeDatapoint:
    def __init__(self, mol: Chem.Mol) -> None:
        self.mol = mol

    @classmethod
    def from_smi(cls, text: str) -> MoleculeDatapoint:
        mol = Chem.MolFromSmiles(text)
        if mol is None:
            raise RuntimeError(f"SMILES {text} is invalid!")
        return cls(mol)


class MoleculeDataset(list):
    pass


def collate_batch(points: list[MoleculeDatapoint]) -> SimpleNamespace:
    return SimpleNamespace(bmg=[point.mol.GetNumAtoms() for point in points], V_d=None, X_d=None)
