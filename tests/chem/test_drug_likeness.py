from __future__ import annotations

import pytest
from rdkit import Chem
from rdkit.Chem import QED

from fluvial.chem.drug_likeness import qed
from fluvial.chem.synthesis.blocks import embedded_blocks

TEXTS = (
    *(block.smiles for block in embedded_blocks()[::9]),
    *("N=C(CCSCc1csc(N=C(N)N)n1)NS(N)(=O)=O", "CNC(=NCCSCc1nc[nH]c1C)NC#N", "[2H]C([2H])O", "[H][H]"),
    *("O=C1C=CC(=O)C=C1", "C[N+](=O)[O-]", "CC(=O)Oc1ccccc1C(=O)O", "O=C1NC(=O)c2ccccc12"),
)


def test_it_is_the_number_of_rdkit_to_the_last_bit() -> None:
    for text in TEXTS:
        mol = Chem.MolFromSmiles(text)
        assert qed(mol) == QED.qed(Chem.MolFromSmiles(text)), text


@pytest.mark.parametrize(
    ("text", "value"),
    [("N=C(CCSCc1csc(N=C(N)N)n1)NS(N)(=O)=O", 0.253), ("CNC(=NCCSCc1nc[nH]c1C)NC#N", 0.234)],
)
def test_published_examples(text: str, value: float) -> None:
    assert int(1000 * qed(Chem.MolFromSmiles(text))) == round(1000 * value)
