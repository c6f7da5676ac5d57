from __future__ import annotations

import itertools
import random

import pytest
from rdkit import Chem

from fluvial.chem.synthesis.blocks import Block, embedded_blocks
from fluvial.chem.synthesis.library import make_library
from fluvial.chem.synthesis.retro import Disconnection, Disconnections
from fluvial.chem.synthesis.templates import Template, embedded_templates

AMIDE = Template("amide", "", "[C:1](=[O:2])[OH].[NH2:3]>>[C:1](=[O:2])[N:3]", 2)
CYANATION = Template("cyanation", "", "[c:1][Br,I]>>[c:1]C#N", 1)
ESTER = Template("aminolysis", "", "[C:1](=[O:2])[#8;H1,$(OC)].[NH2:3]>>[C:1](=[O:2])[N:3]", 2)
BLOCKS = ("CC(=O)O", "CN", "NCC(=O)O", "Nc1ccc(Br)cc1", "CCOC(C)=O")


def finder(templates, smiles=BLOCKS):
    return Disconnections(make_library([Block(text) for text in smiles], templates))


def test_both_reactants_may_be_blocks_or_one():
    of = finder([AMIDE]).of
    assert of("CNC(C)=O") == (Disconnection(0, ("CC(=O)O", "CN")),)
    # the acid is no block, the amine is
    assert of("CCCCC(=O)NC") == (Disconnection(0, ("CCCCC(=O)O", "CN")),)
    # neither is a block
    assert of("CCCCC(=O)NCCC") == ()
    # two places
    assert of("CNC(=O)CNC(C)=O") == (
        Disconnection(0, ("CC(=O)NCC(=O)O", "CN")),
        Disconnection(0, ("CC(=O)O", "CNC(=O)CN")),
    )


def test_one_reactant_needs_no_block_and_all_halogens_are_told():
    assert finder([CYANATION]).of("N#Cc1ccncc1") == (
        Disconnection(0, ("Brc1ccncc1",)),
        Disconnection(0, ("Ic1ccncc1",)),
    )


def test_groups_that_only_blocks_show_are_found():
    assert finder([ESTER]).of("CCCC(=O)NC") == (
        Disconnection(0, ("CCCC(=O)O", "CN")),
        Disconnection(0, ("CCCC(=O)OCC", "CN")),
    )


def test_what_does_not_run_forward_is_none():
    # the template wants a primary amine; the reversed one alone would accept this
    assert finder([AMIDE]).of("CC(=O)N(C)C") == ()


def test_an_aromatic_ring_that_the_template_makes_is_taken_apart():
    templates = {template.identifier: template for template in embedded_templates()}
    of = finder(
        [templates["thiazole"], templates["click"], templates["benzimidazole_acid"], templates["tetrazole"]],
        ("O=C(CBr)c1ccccc1", "C#CC1CC1", "CC(=O)O"),
    ).of
    assert of("Cc1nc(-c2ccccc2)cs1") == (Disconnection(0, ("O=C(CBr)c1ccccc1", "CC(N)=S")),)
    assert of("c1ccc(Cn2cc(C3CC3)nn2)cc1") == (Disconnection(1, ("C#CC1CC1", "[N-]=[N+]=NCc1ccccc1")),)
    assert of("Cc1nc2ccccc2[nH]1") == (Disconnection(2, ("Nc1ccccc1N", "CC(=O)O")),)
    assert of("c1ccc(-c2nnn[nH]2)cc1") == (Disconnection(3, ("N#Cc1ccccc1",)),)


@pytest.fixture(scope="module")
def space():
    """All molecules of at most two reactions of a small library, and every reaction that makes each."""
    chosen = random.Random(3).sample(embedded_blocks(), 16)
    finder = Disconnections(make_library(chosen, embedded_templates()))
    blocks = [block.smiles for block in chosen]
    made: dict[str, set[Disconnection]] = {}
    level = set(blocks)
    for _ in range(2):
        level = set(_run(finder, level, blocks, made))
        level = set(random.Random(0).sample(sorted(level), min(len(level), 15)))
    return finder, made


def _run(finder, level, blocks, made):
    mols = {text: Chem.MolFromSmiles(text) for text in {*level, *blocks}}
    for number, reaction in enumerate(finder.reactions):
        fits = [
            [text for text in mols if reaction.matches(mols[text], position)]
            for position in range(reaction.template.n_reactants)
        ]
        for reactants in itertools.product(*fits):
            is_step = len(reactants) == 1 or any(
                one in level and other in blocks for one, other in (reactants, reactants[::-1])
            )
            if not is_step or not set(reactants) & level:
                continue
            for product in reaction.products(*(mols[text] for text in reactants)):
                made.setdefault(product, set()).add(Disconnection(number, reactants))
                yield product


def test_every_reaction_is_found_again(space):
    finder, made = space
    asked = random.Random(1).sample(sorted(made), 60)
    missed = [(text, made[text] - set(finder.of(text))) for text in asked]
    assert [pair for pair in missed if pair[1]] == []


def test_all_that_is_found_runs_forward(space):
    finder, made = space
    for text in random.Random(2).sample(sorted(made), 10):
        for found in finder.of(text):
            mols = [Chem.MolFromSmiles(reactant) for reactant in found.reactants]
            assert text in finder.reactions[found.template].products(*mols)
            assert len(mols) == 1 or any(finder.library.find(one) is not None for one in found.reactants)
