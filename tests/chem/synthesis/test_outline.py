from __future__ import annotations

import pytest
from rdkit import Chem

from fluvial.chem.synthesis.blocks import embedded_blocks
from fluvial.chem.synthesis.composition import composition_key
from fluvial.chem.synthesis.outline import KnownOutlines, Outline, outline_of
from fluvial.chem.synthesis.texts import Texts


def key(text, sanitize=True):
    return outline_of(Chem.MolFromSmiles(text, sanitize=sanitize)).key


def test_atoms_and_neighbours():
    assert outline_of(Chem.MolFromSmiles("CC(O)=O")) == Outline((6, 6, 8, 8), (0b10, 0b1101, 0b10, 0b10))


def test_hydrogen_does_not_count():
    with_hydrogen = Chem.AddHs(Chem.MolFromSmiles("CO"))
    assert outline_of(with_hydrogen).neighbours == (2, 1, 0, 0, 0, 0)
    assert outline_of(with_hydrogen).key == key("CO") == key("[2H]CO")


def test_the_key_tells_what_it_should():
    assert key("CCO")[0] == key("COC")[0] == composition_key(Chem.MolFromSmiles("CCO"))
    assert key("CCO")[1] != key("COC")[1]
    assert key("CCO")[0] != key("CCN")[0]
    # bonds, charges and the order of atoms are not looked at
    assert key("OC(C)=O") == key("CC(=O)O") == key("CC(O)[O-]") == key("C=C(O)O")


@pytest.mark.parametrize("text", [block.smiles for block in embedded_blocks()[::40]])
def test_sanitising_changes_nothing(text):
    assert key(text) == key(text, sanitize=False)


def test_known_ones_are_found_by_their_elements():
    texts = ["CCO", "COC", "CCN", "CCC"]
    known = KnownOutlines(Texts.of(texts))
    assert known.shapes(key("CCO")[0]) == {key("CCO")[1], key("COC")[1]}
    assert all(key(text)[1] in known.shapes(key(text)[0]) for text in texts)
    assert known.shapes(key("CCCC")[0]) == frozenset()
