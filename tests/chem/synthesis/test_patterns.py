from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

from fluvial.chem.synthesis.blocks import embedded_blocks
from fluvial.chem.synthesis.patterns import Patterns
from fluvial.chem.synthesis.reactions import reactions_of
from fluvial.chem.synthesis.templates import embedded_templates

MOLS = [Chem.MolFromSmiles(block.smiles) for block in embedded_blocks()[::5]]


@pytest.fixture(scope="module")
def reactions():
    return reactions_of(embedded_templates())


def test_the_patterns_say_what_the_reactions_say(reactions):
    patterns = Patterns(reactions)
    assert len(patterns.queries) < sum(reaction.template.n_reactants for reaction in reactions)
    many = patterns.matches_of_many(MOLS)
    assert np.array_equal(many, np.stack([patterns.matches(mol) for mol in MOLS]))
    for number, reaction in enumerate(reactions):
        for position in range(reaction.template.n_reactants):
            expected = [reaction.matches(mol, position) for mol in MOLS]
            assert many[:, patterns.of_reactant[position, number]].tolist() == expected
        assert (patterns.of_reactant[reaction.template.n_reactants :, number] == -1).all()


def test_no_molecules_are_no_rows(reactions):
    assert Patterns(reactions).matches_of_many([]).shape[0] == 0
