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
    *("C1CC2CCC1CC2", "c1ccc2c(c1)CCc1ccccc1C2", "c1cc2ccc1CCc1ccc(cc1)CC2", "C1CC2(C1)CCc1ccccc12", "C1CC1"),
)
"""The last ones have rings that are cut in several ways."""


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
