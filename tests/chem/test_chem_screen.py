from __future__ import annotations

import pytest
from rdkit import Chem
from rdkit.Chem import QED

from fluvial.chem.screen import Screen
from fluvial.chem.synthesis.blocks import embedded_blocks
from fluvial.chem.synthesis.patterns import Patterns
from fluvial.chem.synthesis.reactions import reactions_of
from fluvial.chem.synthesis.templates import embedded_templates

ODD = [
    "[H][H]",
    "[2H]OC",
    "[15NH3]",
    "C[N+](=O)[O-]",
    "C[Si](C)(C)C",
    "[Na]Cl",
    "c1cc[se]c1",
    "C[N]C",
    "N->[Cu]",
]
MOLS = [Chem.MolFromSmiles(text) for text in (*(block.smiles for block in embedded_blocks()[::3]), *ODD)]
SETS = {
    "reactants": Patterns(reactions_of(embedded_templates())).queries,
    "alerts": [*QED.StructuralAlerts, *QED.Acceptors],
}


@pytest.mark.parametrize("name", SETS)
def test_nothing_that_matches_is_ruled_out_and_most_of_the_rest_is(name: str) -> None:
    queries, n_possible, n_matched = SETS[name], 0, 0
    screen = Screen(queries)
    for mol in MOLS:
        possible = screen.possible(mol)
        matched = [number for number, query in enumerate(queries) if mol.HasSubstructMatch(query)]
        assert set(matched) <= set(possible)
        assert list(possible) == sorted(possible)
        n_possible, n_matched = n_possible + len(possible), n_matched + len(matched)
    assert n_matched < n_possible < len(queries) * len(MOLS) / 6


@pytest.mark.parametrize(
    ("query", "fits", "does_not"),
    [
        ("[NH2]C", "NCC", "CNC"),
        ("C=O", "CC=O", "CCO"),
        ("cBr", "Brc1ccccc1", "BrCc1ccccc1"),
        ("[C,N]#[N;+0]", "CC#N", "C#C"),
        ("C[$(C(=O)[OH])]", "CC(=O)O", "COC"),
        ("[O-]", "CC(=O)[O-]", "CC(=O)O"),
        ("[C;$(C-Cl),$(C-Br)]I", "ICBr", "CCBr"),
        ("cc", "c1ccccc1", "C1CCCCC1"),
        ("[NH2,NH3+]C", "NCC", "CNC"),
        ("[N,O;H1]-[C,c]", "CNC", "C[N+](C)(C)C"),
    ],
)
def test_elements_hydrogens_charges_bonds_and_surroundings_are_needed(
    query: str, fits: str, does_not: str
) -> None:
    screen = Screen([Chem.MolFromSmarts(query)])
    assert screen.possible(Chem.MolFromSmiles(fits)) == (0,)
    assert screen.possible(Chem.MolFromSmiles(does_not)) == ()
