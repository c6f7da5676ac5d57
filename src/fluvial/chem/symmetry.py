"""Symmetries of fragments: which attachment points cannot be told apart."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations, product

from rdkit import Chem

from fluvial.chem.vocabulary import Fragment, fragment_mol
from fluvial.core.errors import DataError

MAX_PERMUTATIONS = 5040
"""Most permutations of one fragment's points (7!): they are tabulated and tried one by one; arbitrary."""
_MAX_AUTOMORPHISMS = 100_000


@dataclass(frozen=True)
class PointSymmetry:
    """The group of a fragment's attachment points."""

    n_points: int
    """Points of the fragment."""
    n_closed: int
    """These, and the unusable ones that complete the set under the group; see `closed_points`."""
    permutations: tuple[tuple[int, ...], ...]
    """All distinct permutations p of the closed points for which an automorphism g of the molecule has
    atom(p[i]) = g(atom(i)) for all i; the identity comes first."""


def automorphisms(mol: Chem.Mol) -> tuple[tuple[int, ...], ...]:
    """All mappings g of the atoms that keep elements, charges, isotopes, aromaticity, hydrogens and bonds.

    `g[i]` is the image of atom i; the identity comes first. Raises `DataError` for more than 100,000.
    """
    matches = mol.GetSubstructMatches(mol, uniquify=False, maxMatches=_MAX_AUTOMORPHISMS + 1)
    if len(matches) > _MAX_AUTOMORPHISMS:
        raise DataError(
            f"'{Chem.MolToSmiles(mol)}' has more than {_MAX_AUTOMORPHISMS} symmetries; leave it out."
        )
    # RDKit's matching looks neither at hydrogens nor at missing charges: it takes pyrazole's N for its NH.
    kinds = [_atom_kind(atom) for atom in mol.GetAtoms()]
    return tuple(sorted(match for match in matches if [kinds[image] for image in match] == kinds))


def atom_classes(mol: Chem.Mol) -> tuple[int, ...]:
    """Orbit of each atom under the automorphisms, named by its lowest atom index."""
    return tuple(min(images) for images in zip(*automorphisms(mol), strict=True))


def closed_points(fragment: Fragment) -> tuple[int, ...]:
    """Atoms of the fragment's points, then of the unusable points that close the set under its automorphisms.

    Every atom in the orbit of a listed atom gets as many points as the most often listed atom of that orbit.
    """
    listed = Counter(fragment.points)
    classes = atom_classes(fragment_mol(fragment))
    most: Counter[int] = Counter()
    for atom, count in listed.items():
        most[classes[atom]] = max(most[classes[atom]], count)
    extra = [atom for atom, orbit in enumerate(classes) for _ in range(most[orbit] - listed[atom])]
    return (*fragment.points, *extra)


@lru_cache(maxsize=4096)
def point_symmetry(fragment: Fragment) -> PointSymmetry:
    """The group of a fragment's points. Raises `DataError` for more than 5040 permutations."""
    atoms = closed_points(fragment)
    # Automorphisms that move the points' atoms alike give the same permutations.
    images = sorted({tuple(g[atom] for atom in atoms) for g in automorphisms(fragment_mol(fragment))})
    n_permutations = len(images) * math.prod(math.factorial(count) for count in Counter(atoms).values())
    if n_permutations > MAX_PERMUTATIONS:
        raise DataError(
            f"fragment '{fragment.smiles}' has {n_permutations} symmetries of its attachment points; "
            f"{MAX_PERMUTATIONS} are the most, so list fewer attachment atoms."
        )
    found = sorted(p for image in images for p in _permutations_to(atoms, image))
    return PointSymmetry(len(fragment.points), len(atoms), tuple(found))


def point_classes(fragment: Fragment) -> tuple[int, ...]:
    """Class of each listed point, equal exactly where a symmetry joins points; numbered by appearance."""
    classes = atom_classes(fragment_mol(fragment))
    numbers: dict[int, int] = {}
    return tuple(numbers.setdefault(classes[atom], len(numbers)) for atom in fragment.points)


def _permutations_to(atoms: Sequence[int], image: Sequence[int]) -> list[tuple[int, ...]]:
    """All permutations p with atoms[p[i]] = image[i]: free choices among the points that share an atom."""
    slots: dict[int, list[int]] = {}
    for point, atom in enumerate(atoms):
        slots.setdefault(atom, []).append(point)
    sources: dict[int, list[int]] = {}
    for point, atom in enumerate(image):
        sources.setdefault(atom, []).append(point)
    found = []
    for choice in product(*(permutations(slots[atom]) for atom in sources)):
        targets = [0] * len(atoms)
        for points, chosen in zip(sources.values(), choice, strict=True):
            for point, target in zip(points, chosen, strict=True):
                targets[point] = target
        found.append(tuple(targets))
    return found


def _atom_kind(atom: Chem.Atom) -> tuple[int, int, int, int, bool, int]:
    return (
        atom.GetAtomicNum(),
        atom.GetFormalCharge(),
        atom.GetIsotope(),
        atom.GetNumRadicalElectrons(),
        atom.GetIsAromatic(),
        atom.GetTotalNumHs(),
    )
