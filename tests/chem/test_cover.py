from __future__ import annotations

import random

import pytest
from rdkit import Chem

from fluvial.chem.assembly import FragmentTree, assemble, assemble_smiles
from fluvial.chem.cover import CoverSearch, find_covers
from fluvial.chem.molecules import canonical_smiles, parse_smiles
from fluvial.chem.vocabulary import Fragment, Vocabulary, load_vocabulary

BENZENE, METHANE, OXYGEN, METHANOL, PYRAZOLE, SULFONYL, XYLENE = range(7)
VOCABULARY = Vocabulary(
    "small",
    (
        Fragment("c1ccccc1", (0, 1, 2, 3, 4, 5)),
        Fragment("C", (0, 0)),
        Fragment("O", (0, 0)),
        Fragment("CO", (0, 1)),
        Fragment("c1cn[nH]c1", (3,)),
        Fragment("O=S=O", (1,)),
        Fragment("Cc1ccccc1C", (0,)),
    ),
)


def random_tree(vocabulary: Vocabulary, n_fragments: int, generator: random.Random) -> FragmentTree:
    """A tree grown by joining a random point of a random fragment to a random free point."""
    while True:
        fragments = [generator.randrange(len(vocabulary.fragments))]
        free = [(0, point) for point in range(len(vocabulary.fragments[fragments[0]].points))]
        bonds = []
        while free and len(fragments) < n_fragments:
            number, node = generator.randrange(len(vocabulary.fragments)), len(fragments)
            own = list(range(len(vocabulary.fragments[number].points)))
            point = own.pop(generator.randrange(len(own)))
            parent, parent_point = free.pop(generator.randrange(len(free)))
            bonds.append((parent, parent_point, node, point))
            free += [(node, other) for other in own]
            fragments.append(number)
        if len(fragments) == n_fragments:
            return FragmentTree(tuple(fragments), tuple(bonds))


def search(smiles: str, max_fragments: int = 9, max_covers: int = 50, max_nodes: int = 20000) -> CoverSearch:
    return find_covers(VOCABULARY, parse_smiles(smiles), max_fragments, max_covers, max_nodes)


def pieces(found: CoverSearch) -> list[list[int]]:
    return sorted(sorted(tree.fragments) for tree in found.trees)


@pytest.mark.parametrize(
    ("smiles", "expected"),
    [
        ("c1ccccc1", [[BENZENE]]),
        ("Cc1ccccc1", [[BENZENE, METHANE]]),
        ("COC", [[METHANE, METHANE, OXYGEN], [METHANE, METHANOL], [METHANE, METHANOL]]),
        ("Cn1cccn1", [[METHANE, PYRAZOLE]]),
        ("Cc1ccn[nH]1", []),
        ("C[SH](=O)=O", [[METHANE, SULFONYL]]),
        ("O=S=O", [[SULFONYL]]),
        ("CS(C)(=O)=O", []),
        ("CC(C)C", []),
        ("Cc1ccccc1CC", [[BENZENE, METHANE, METHANE, METHANE], [METHANE, XYLENE]]),
        ("C[O-]", []),
        ("[13CH3]C", []),
        ("C=C", []),
        ("C1CC1", []),
        ("CCO.C", []),
        ("[CH3]", []),
    ],
)
def test_all_covers_of_small_molecules(smiles: str, expected: list[list[int]]) -> None:
    found = search(smiles)
    assert found.is_complete
    assert pieces(found) == expected
    for tree in found.trees:
        assert assemble_smiles(VOCABULARY, tree) == canonical_smiles(parse_smiles(smiles))


@pytest.mark.parametrize("smiles", ["CC(=O)Oc1ccccc1C(=O)O", "CC1=C(C(=O)OC(C)C)C(c2cccc3nonc23)C(C)=C(C)N1"])
def test_a_drug_that_cannot_be_covered_has_an_empty_complete_answer(smiles: str) -> None:
    assert find_covers(load_vocabulary("default"), parse_smiles(smiles), 9) == CoverSearch((), True)


def test_an_empty_molecule_has_no_cover() -> None:
    assert find_covers(VOCABULARY, Chem.Mol(), 9) == CoverSearch((), True)


def test_the_number_of_fragments_is_bounded() -> None:
    assert pieces(search("CCCC", max_fragments=4)) == [[METHANE] * 4]
    assert search("CCCC", max_fragments=3) == CoverSearch((), True)
    assert search("C", max_fragments=0) == CoverSearch((), True)


def test_the_number_of_covers_and_of_nodes_is_bounded() -> None:
    chain = "CO" * 8
    assert len(search(chain, max_fragments=30, max_covers=7).trees) == 7
    assert search(chain, max_fragments=30, max_covers=7).is_complete
    # Every adjacent pair may be one piece or two: the 17th Fibonacci number.
    assert len(search(chain, max_fragments=30, max_covers=10**6, max_nodes=10**6).trees) == 1597
    stopped = search(chain, max_fragments=30, max_covers=10**6, max_nodes=100)
    assert not stopped.is_complete
    assert len(stopped.trees) < 100


def test_a_long_hopeless_search_ends_by_itself() -> None:
    # About 2**40 partial covers lead to the same few dead ends.
    found = search("CO" * 30 + "N", max_fragments=60)
    assert found == CoverSearch((), True)


def test_the_answer_is_the_same_each_time() -> None:
    assert search("COCOCc1ccccc1") == search("COCOCc1ccccc1")


def test_random_trees_are_found_again() -> None:
    vocabulary = load_vocabulary("default")
    generator = random.Random(7)
    n_single = 0
    for _ in range(400):
        tree = random_tree(vocabulary, generator.randint(1, 5), generator)
        smiles = assemble_smiles(vocabulary, tree)
        mol = parse_smiles(smiles)
        assert canonical_smiles(mol) == smiles
        found = find_covers(vocabulary, mol, 5, max_covers=50)
        assert found.is_complete
        assert [assemble_smiles(vocabulary, other) for other in found.trees] == [smiles] * len(found.trees)
        assert sorted(tree.fragments) in pieces(found)
        n_single += len(found.trees) == 1
    assert n_single >= 380


def test_the_order_of_atoms_does_not_change_the_covers() -> None:
    vocabulary = load_vocabulary("default")
    generator = random.Random(11)
    for _ in range(30):
        mol = assemble(vocabulary, random_tree(vocabulary, 4, generator))
        order = list(range(mol.GetNumAtoms()))
        generator.shuffle(order)
        found, shuffled = (
            find_covers(vocabulary, version, 4, 50) for version in (mol, Chem.RenumberAtoms(mol, order))
        )
        assert pieces(found) == pieces(shuffled)
