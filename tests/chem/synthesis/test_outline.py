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
    known = KnownOutlines(Texts.of(["CCO", "COC", "CCN", "CCC"]))
    for text, answer in [("CCO", True), ("COC", True), ("CNC", False), ("C1CC1", False), ("CCCC", False)]:
        elements, shape = key(text)
        assert known.may_have(elements, lambda shape=shape: shape) is answer


def test_of_many_with_the_same_elements_all_are_likely_until_it_pays_to_look():
    known = KnownOutlines(Texts.of(["CCCCCO", "CCCC(C)O", "CCC(C)CO", "CCC(C)(C)O", "CC(C)C(C)O", "CCOCCC"]))
    elements, shape = key("CCCOCC")
    assert [known.may_have(elements, lambda: 0) for _ in range(3)] == [True, False, False]
    assert known.may_have(elements, lambda: shape)
