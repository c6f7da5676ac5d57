from __future__ import annotations

import pytest

from fluvial.chem.assembly import FragmentTree, assemble, assemble_smiles
from fluvial.chem.vocabulary import Fragment, Vocabulary
from fluvial.core.errors import DataError

BENZENE, AMIDE, PYRAZOLE, METHANE, AMINE, SULFONYL, NITRO = range(7)
VOCABULARY = Vocabulary(
    "small",
    (
        Fragment("c1ccccc1", (0, 1, 2, 3, 4, 5)),
        Fragment("NC=O", (0, 0, 1)),
        Fragment("c1cn[nH]c1", (0, 1, 3, 4)),
        Fragment("C", (0, 0)),
        Fragment("N", (0, 0, 0)),
        Fragment("O=S=O", (1,)),
        Fragment("O=[NH+][O-]", (1,)),
    ),
)


@pytest.mark.parametrize(
    ("fragments", "bonds", "smiles"),
    [
        ((BENZENE,), (), "c1ccccc1"),
        ((PYRAZOLE,), (), "c1cn[nH]c1"),
        ((BENZENE, AMIDE), ((0, 0, 1, 2),), "NC(=O)c1ccccc1"),
        ((BENZENE, AMIDE), ((0, 3, 1, 1),), "O=CNc1ccccc1"),
        ((BENZENE, AMIDE, BENZENE), ((0, 0, 1, 0), (1, 1, 2, 0)), "O=CN(c1ccccc1)c1ccccc1"),
        ((PYRAZOLE, METHANE), ((0, 2, 1, 0),), "Cn1cccn1"),
        ((PYRAZOLE, METHANE), ((0, 3, 1, 1),), "Cc1ccn[nH]1"),
        ((PYRAZOLE, PYRAZOLE), ((0, 2, 1, 2),), "c1cnn(-n2cccn2)c1"),
        ((METHANE, AMINE, METHANE, METHANE), ((0, 1, 1, 2), (1, 0, 2, 0), (1, 1, 3, 0)), "CN(C)C"),
        ((METHANE, NITRO), ((0, 0, 1, 0),), "C[N+](=O)[O-]"),
        ((METHANE, SULFONYL), ((0, 0, 1, 0),), "C[SH](=O)=O"),
        ((BENZENE, METHANE, METHANE), ((0, 0, 1, 0), (0, 2, 2, 0)), "Cc1cccc(C)c1"),
    ],
)
def test_molecules_of_small_trees(
    fragments: tuple[int, ...], bonds: tuple[tuple[int, int, int, int], ...], smiles: str
) -> None:
    assert assemble_smiles(VOCABULARY, FragmentTree(fragments, bonds)) == smiles


def test_atoms_keep_the_order_of_nodes() -> None:
    mol = assemble(VOCABULARY, FragmentTree((AMIDE, METHANE), ((0, 0, 1, 0),)))
    assert [atom.GetSymbol() for atom in mol.GetAtoms()] == ["N", "C", "O", "C"]
    assert mol.GetBondBetweenAtoms(0, 3) is not None


@pytest.mark.parametrize(
    ("fragments", "bonds", "cause"),
    [
        ((), (), "fragment numbers from 0 to 6"),
        ((7,), (), "fragment numbers from 0 to 6"),
        ((-1,), (), "fragment numbers from 0 to 6"),
        ((METHANE, METHANE), (), "has 0 bonds; 2 connected nodes need 1"),
        ((METHANE, METHANE), ((1, 0, 0, 0),), "joins nodes 1 and 0"),
        ((METHANE, METHANE), ((0, 2, 1, 0),), "uses point 2 of node 0; it has 2 points"),
        ((METHANE,) * 3, ((0, 0, 1, 0), (0, 0, 2, 0)), "uses point 0 of node 0"),
        ((METHANE,) * 3, ((0, 0, 1, 0), (0, 1, 1, 1)), "has a ring through nodes 0 and 1"),
    ],
)
def test_what_is_no_tree_is_refused(
    fragments: tuple[int, ...], bonds: tuple[tuple[int, int, int, int], ...], cause: str
) -> None:
    with pytest.raises(DataError, match=cause):
        assemble(VOCABULARY, FragmentTree(fragments, bonds))


def test_fragments_are_not_changed_by_assembly() -> None:
    tree = FragmentTree((PYRAZOLE, METHANE), ((0, 2, 1, 0),))
    assert [assemble_smiles(VOCABULARY, tree) for _ in range(3)] == ["Cn1cccn1"] * 3
    assert assemble_smiles(VOCABULARY, FragmentTree((PYRAZOLE,), ())) == "c1cn[nH]c1"
