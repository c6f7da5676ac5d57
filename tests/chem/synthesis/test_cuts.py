from __future__ import annotations

import random

import pytest
from rdkit import Chem

from fluvial.chem.synthesis.blocks import embedded_blocks
from fluvial.chem.synthesis.cuts import Pieces
from fluvial.chem.synthesis.library import make_library
from fluvial.chem.synthesis.outline import outline_of
from fluvial.chem.synthesis.reactions import Reaction
from fluvial.chem.synthesis.reversal import Reversal
from fluvial.chem.synthesis.templates import embedded_templates


class Everything:
    """Knows every molecule, and notes each that it is asked for."""

    def __init__(self):
        self.asked = []

    def may_have(self, elements, shape):
        self.asked.append((elements, shape()))
        return True


class Nothing:
    def may_have(self, elements, shape):
        return False


@pytest.fixture(scope="module")
def made():
    """A turned reaction and a product of it, for some products of each packaged reaction."""
    library, chooser, found = make_library(embedded_blocks(), embedded_templates()), random.Random(0), []
    for number, reaction in enumerate(library.reactions):
        kinds = [library.blocks_for(number, place).tolist() for place in range(len(reaction.patterns))]
        mols = [
            [Chem.MolFromSmiles(library.smiles[block]) for block in chooser.sample(kind, min(6, len(kind)))]
            for kind in kinds
        ]
        reversal = Reversal(reaction, mols)
        products = {text for pair in zip(*mols, strict=False) for text in reaction.products(*pair)}
        found += [(reversal, Chem.MolFromSmiles(text)) for text in sorted(products)]
    return found


def test_the_keys_told_from_the_product_are_those_of_the_reactants(made):
    n_asked = 0
    for reversal, product in made:
        known = Everything()
        places = reversal.places(product, Pieces(outline_of(product)), known, all_known=False)
        drafts = reversal.drafts(product, range(len(places)))
        expected = [outline_of(draft).key for place in drafts for side in place for draft in side]
        assert known.asked == expected
        n_asked += len(expected)
    assert len(made) > 200
    assert n_asked > 1000


def test_where_all_must_be_known_the_rest_of_a_place_is_left_out(made):
    for reversal, product in made[::20]:
        pieces = Pieces(outline_of(product))
        for place in reversal.places(product, pieces, Nothing(), all_known=True):
            assert place == ((False,) * reversal.n_variants[0],)
        for place in reversal.places(product, pieces, Nothing(), all_known=False):
            assert [len(side) for side in place] == reversal.n_variants


def test_a_product_with_hydrogens_of_its_own_is_not_judged():
    amide = next(one for one in embedded_templates() if one.identifier == "amide")
    reversal = Reversal(Reaction(amide), [[], []])
    product = Chem.MolFromSmiles("[2H]CC(=O)NCC")
    places = reversal.places(product, Pieces(outline_of(product)), Nothing(), all_known=True)
    assert places == [((True,) * reversal.n_variants[0], (True,) * reversal.n_variants[1])]
