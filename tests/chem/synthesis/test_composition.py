from __future__ import annotations

from rdkit import Chem

from fluvial.chem.synthesis.blocks import embedded_blocks
from fluvial.chem.synthesis.composition import composition_key, composition_keys
from fluvial.chem.synthesis.texts import Texts


def test_keys_of_texts_are_those_of_their_molecules():
    texts = [block.smiles for block in embedded_blocks()[::7]] + [
        "C[Si](C)(C)C",
        "C[Se]C",
        "c1ccsc1",
        "[2H]C",
    ]
    assert composition_keys(Texts.of(texts)).tolist() == [
        composition_key(Chem.MolFromSmiles(text)) for text in texts
    ]


def test_other_elements_are_counted_by_rdkit():
    texts = ["C[Sn](C)(C)C", "CC"]
    assert composition_keys(Texts.of(texts)).tolist() == [
        composition_key(Chem.MolFromSmiles(text)) for text in texts
    ]


def test_only_the_elements_decide():
    assert composition_key(Chem.MolFromSmiles("CCO")) == composition_key(Chem.MolFromSmiles("COC"))
    assert composition_key(Chem.MolFromSmiles("CCO")) != composition_key(Chem.MolFromSmiles("CCN"))
