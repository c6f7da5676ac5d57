from __future__ import annotations

import pytest

from fluvial.chem.molecules import parse_smiles
from fluvial.chem.symmetry import automorphisms, closed_points, point_classes, point_symmetry
from fluvial.chem.vocabulary import Fragment, load_vocabulary
from fluvial.core.errors import DataError


def test_benzene_has_the_dihedral_group() -> None:
    found = point_symmetry(Fragment("c1ccccc1", (0, 1, 2, 3, 4, 5)))
    assert (found.n_points, found.n_closed, len(found.permutations)) == (6, 6, 12)
    assert found.permutations[0] == (0, 1, 2, 3, 4, 5)
    assert (1, 2, 3, 4, 5, 0) in found.permutations
    assert (0, 5, 4, 3, 2, 1) in found.permutations
    assert (1, 0, 2, 3, 4, 5) not in found.permutations
    assert point_classes(Fragment("c1ccccc1", (0, 1, 2, 3, 4, 5))) == (0,) * 6


@pytest.mark.parametrize(
    ("smiles", "points", "n_closed", "n_permutations"),
    [
        ("N", (0, 0, 0), 3, 6),
        ("CC", (0, 0, 0, 1, 1, 1), 6, 72),
        ("CC(C)(C)C", (0, 2, 3, 4), 4, 24),
        ("FC(F)F", (1,), 1, 1),
        ("Cc1ccccc1", (2,), 2, 2),
        ("Cc1ccccc1", (0, 2, 4), 4, 2),
        ("CCC", (0, 0, 2), 4, 8),
        ("C1CCCCC1", (0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5), 12, 768),
        ("c1ccncc1", (0, 1, 2, 4, 5), 5, 2),
    ],
)
def test_numbers_of_closed_points_and_permutations(
    smiles: str, points: tuple[int, ...], n_closed: int, n_permutations: int
) -> None:
    found = point_symmetry(Fragment(smiles, points))
    assert (found.n_points, found.n_closed) == (len(points), n_closed)
    assert len(found.permutations) == len(set(found.permutations)) == n_permutations
    assert found.permutations[0] == tuple(range(n_closed))


def test_listed_points_come_before_the_closing_ones() -> None:
    assert closed_points(Fragment("CCC", (2, 0, 0))) == (2, 0, 0, 2)
    assert point_classes(Fragment("CCC", (2, 1, 0, 0))) == (0, 1, 0, 0)


def test_hydrogens_and_charges_tell_atoms_apart() -> None:
    assert point_classes(Fragment("c1cn[nH]c1", (0, 1, 3, 4))) == (0, 1, 2, 3)
    assert len(automorphisms(parse_smiles("CC(=O)[O-]"))) == 1
    assert len(automorphisms(parse_smiles("[O-]C=CO"))) == 1
    assert len(automorphisms(parse_smiles("C[13CH3]"))) == 1
    assert len(automorphisms(parse_smiles("OC=CO"))) == 2


def test_too_many_symmetries_are_refused() -> None:
    points = (0, 0, 0, 2, 2, 2, 3, 3, 3, 4, 4, 4)
    with pytest.raises(DataError, match=r"'CC\(C\)\(C\)C' has 31104 symmetries"):
        point_symmetry(Fragment("CC(C)(C)C", points))


def test_permutations_of_every_default_fragment_are_a_group_of_symmetries() -> None:
    for fragment in load_vocabulary("default").fragments:
        group = point_symmetry(fragment).permutations
        members = set(group)
        assert {tuple(p[i] for i in q) for p in group for q in group} == members
        atoms = closed_points(fragment)
        images = {tuple(g[atom] for atom in atoms) for g in automorphisms(parse_smiles(fragment.smiles))}
        assert {tuple(atoms[i] for i in p) for p in group} == images
