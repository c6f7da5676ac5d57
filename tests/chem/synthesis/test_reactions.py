from __future__ import annotations

import csv
import random

import pytest
from rdkit import Chem

from fluvial.chem.synthesis.reactions import Reaction
from fluvial.chem.synthesis.templates import _PACKAGED, Template, embedded_templates

EXAMPLES = {
    row["id"]: row
    for row in csv.DictReader(_PACKAGED.open(encoding="utf-8"), delimiter="\t", quoting=csv.QUOTE_NONE)
}
REACTIONS = {template.identifier: Reaction(template) for template in embedded_templates()}


def mols(text):
    return [Chem.MolFromSmiles(part) for part in text.split(".")]


def made(smarts, *reactants):
    return Reaction(Template("t", "", smarts, len(reactants))).products(*map(Chem.MolFromSmiles, reactants))


@pytest.mark.parametrize("identifier", list(REACTIONS))
def test_the_example_reacts_and_the_counterexample_does_not(identifier):
    row, reaction = EXAMPLES[identifier], REACTIONS[identifier]
    reactants = mols(row["reactants"])
    assert len(reactants) == reaction.template.n_reactants
    assert all(reaction.matches(mol, position) for position, mol in enumerate(reactants))
    assert reaction.products(*reactants) == (Chem.CanonSmiles(row["product"]),)
    against = mols(row["counterexample"])
    assert len(against) == len(reactants)
    assert not all(reaction.matches(mol, position) for position, mol in enumerate(against))
    assert reaction.products(*against) == ()


def test_all_regioisomers_are_products():
    products = REACTIONS["pyrazole"].products(*mols("CC(=O)CC(=O)c1ccccc1.NNc1ccccc1"))
    assert products == ("Cc1cc(-c2ccccc2)n(-c2ccccc2)n1", "Cc1cc(-c2ccccc2)nn1-c1ccccc1")


def test_each_place_of_a_symmetric_reactant_gives_one_product():
    assert REACTIONS["cyanation"].products(*mols("Brc1ccc(Br)cc1")) == ("N#Cc1ccc(Br)cc1",)


def test_agents_change_nothing():
    assert made("[c:1]Br>[Pd]>[c:1]C#N", "Brc1ccccc1") == made("[c:1]Br>>[c:1]C#N", "Brc1ccccc1") != ()


@pytest.mark.parametrize(
    ("smarts", "reactant"),
    [
        ("[C:1]=[O:2]>>[C:1](C)(C)(C)=[O:2]", "CC(C)=O"),  # five bonds
        ("[C:1]O[C:2]>>([C:1].[C:2])", "COC"),  # two molecules
        ("[CH3:1][CH3:2]>>[CH2:1][CH3:2]", "CC"),  # a radical
    ],
)
def test_what_is_no_molecule_is_no_product(smarts, reactant):
    assert made(smarts, reactant) == ()
    assert not Reaction(Template("t", "", smarts, 1)).runs(Chem.MolFromSmiles(reactant))


def test_a_radical_of_a_reactant_stays_one():
    reaction, reactant = Reaction(Template("t", "", "[C:1]Br>>[C:1]C", 1)), Chem.MolFromSmiles("[CH2]CBr")
    assert reaction.products(reactant) == ("[CH2]CC",)
    assert reaction.runs(reactant)


@pytest.mark.parametrize("identifier", list(REACTIONS))
def test_it_runs_where_it_has_products_and_they_are_what_their_texts_say(identifier):
    row, reaction = EXAMPLES[identifier], REACTIONS[identifier]
    for text in (row["reactants"], row["counterexample"]):
        products = reaction.made(*mols(text))
        assert reaction.runs(*mols(text)) == (len(products) > 0)
        for smiles, mol in products.items():
            assert mol is None or mol.ToBinary() == Chem.MolFromSmiles(smiles).ToBinary()


def test_products_carry_no_map_numbers():
    assert made("[C:1][OH]>>[C:1][N:7]", "CO") == ("CN",)


def test_products_do_not_depend_on_the_order_of_atoms():
    generator = random.Random(0)
    for identifier in ("imidazopyridine", "pictet_spengler", "click", "quinazolinone", "suzuki"):
        reactants = mols(EXAMPLES[identifier]["reactants"])
        expected = REACTIONS[identifier].products(*reactants)
        for _ in range(20):
            shuffled = []
            for mol in reactants:
                order = list(range(mol.GetNumAtoms()))
                generator.shuffle(order)
                shuffled.append(Chem.RenumberAtoms(mol, order))
            assert REACTIONS[identifier].products(*shuffled) == expected


def test_a_stereocentre_that_takes_no_part_is_kept():
    assert REACTIONS["amide"].products(*mols("OC(=O)c1ccccc1.N[C@@H](C)CO")) == (
        Chem.CanonSmiles("O=C(c1ccccc1)N[C@@H](C)CO"),
    )
