"""Kekulé forms: the ways to write the double bonds of an aromatic molecule.

RDKit writes an aromatic molecule in one way, whatever its Kekulé form. For some atoms it cannot read that
again, and where one has hydrogens too few, as in radicals, the text would not tell where; there each Kekulé
form is a molecule of its own here, and written as such.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from math import prod

from rdkit import Chem, rdBase

from fluvial.chem.atoms import AtomGraph, build_molecule
from fluvial.chem.molecules import canonical_smiles
from fluvial.chem.valence import implied_hydrogens, most_bonds

_TRIPLE = 3
_USUAL = {"C", "N", "O", "P", "S", "Se"}
"""Elements that RDKit reads again where it wrote them as aromatic, with a charge of -1 to 1."""

Pair = tuple[int, int]
"""Ends i < j of a bond."""


@dataclasses.dataclass(frozen=True)
class Resonance:
    """What is the same in all Kekulé forms of a molecule, and how many there are."""

    aromatic: frozenset[Pair]
    """Bonds that RDKit finds aromatic, triple bonds left aside; none where each form is a molecule."""
    n_forms: int
    """Kekulé forms with the same SMILES; atoms are told apart, so that toluene has 2."""


def molecule_smiles(graph: AtomGraph) -> str:
    """Canonical SMILES, of the Kekulé form where each form is a molecule.

    Raises:
        Chem.MolSanitizeException: RDKit refuses the molecule.
    """
    mol = build_molecule(graph)
    return canonical_smiles(mol if _is_readable(graph, mol) else build_molecule(graph, find_aromatic=False))


def find_resonance(graph: AtomGraph) -> Resonance:
    """Aromatic bonds and number of Kekulé forms."""
    pattern = _pattern(graph)
    if pattern.is_rigid:
        return Resonance(pattern.aromatic, prod(len(choice) for choice in pattern.choices))
    return Resonance(pattern.aromatic, sum(1 for _ in kekule_forms(graph)))


def kekule_forms(graph: AtomGraph) -> Iterator[AtomGraph]:
    """All Kekulé forms with the same SMILES, the given one among them."""
    pattern = _pattern(graph)
    text = "" if pattern.is_rigid else molecule_smiles(graph)
    for parts in product(*pattern.choices):
        doubles = frozenset[Pair]().union(*parts)
        form = dataclasses.replace(graph, bonds=_reordered(graph.bonds, pattern.aromatic, doubles))
        if pattern.is_rigid or molecule_smiles(form) == text:
            yield form


def _reordered(
    bonds: tuple[tuple[int, int, int], ...], aromatic: frozenset[Pair], doubles: frozenset[Pair]
) -> tuple[tuple[int, int, int], ...]:
    """The bonds with these double ones among the aromatic ones."""
    return tuple(
        (first, second, 1 + ((first, second) in doubles) if (first, second) in aromatic else order)
        for first, second, order in bonds
    )


@dataclasses.dataclass(frozen=True)
class _Pattern:
    """Where the double bonds of an aromatic molecule may be."""

    aromatic: frozenset[Pair]
    choices: tuple[tuple[frozenset[Pair], ...], ...]
    """For each aromatic system by itself, all sets of double bonds."""
    is_rigid: bool
    """Whether each atom has as many double bonds in all of them; then RDKit finds all equally aromatic."""


def _pattern(graph: AtomGraph) -> _Pattern:
    plain = dataclasses.replace(graph, turns=(0,) * len(graph.turns))
    mol = build_molecule(plain)
    aromatic = frozenset(
        (first, second)
        for first, second, order in graph.bonds
        if order < _TRIPLE and mol.GetBondBetweenAtoms(first, second).GetIsAromatic()
    )
    if not _is_readable(plain, mol):
        aromatic = frozenset()
    allowed = _allowed_doubles(graph, aromatic)
    systems = _systems(sorted(aromatic))
    return _Pattern(
        aromatic,
        tuple(tuple(_sets_of_doubles(system, allowed)) for system in systems),
        all(len(counts) == 1 for counts in allowed.values()),
    )


def _is_readable(graph: AtomGraph, mol: Chem.Mol) -> bool:
    """Whether RDKit reads the aromatic molecule again where it wrote it, and all of it."""
    atoms = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetIsAromatic()]
    n_bonds = graph.n_bonds
    kinds = [(graph.elements[atom], graph.charges[atom]) for atom in atoms]
    if any(
        _written(*kind, n_bonds[atom], mol.GetAtomWithIdx(atom).GetTotalNumHs()) is None
        for atom, kind in zip(atoms, kinds, strict=True)
    ):
        return False
    if all(element in _USUAL and abs(charge) <= 1 for element, charge in kinds):
        return True
    text = canonical_smiles(mol)
    with rdBase.BlockLogs():
        again = Chem.MolFromSmiles(text)
    return again is not None and canonical_smiles(again) == text


def _allowed_doubles(graph: AtomGraph, aromatic: frozenset[Pair]) -> dict[int, frozenset[int]]:
    """For each aromatic atom the numbers of double bonds, among its aromatic ones, with the same
    hydrogens."""
    inside: dict[int, list[int]] = {}
    for first, second, order in graph.bonds:
        if (first, second) in aromatic:
            inside.setdefault(first, []).append(order)
            inside.setdefault(second, []).append(order)
    n_bonds = graph.n_bonds
    allowed = {}
    for atom, orders in inside.items():
        kind = graph.elements[atom], graph.charges[atom]
        total = _hydrogens(*kind, graph.hydrogens[atom], graph.no_implicit[atom], n_bonds[atom])
        written = _written(*kind, n_bonds[atom], total or 0) or 0
        least = n_bonds[atom] - sum(orders) + len(orders)
        allowed[atom] = frozenset(
            count
            for count in range(len(orders) + 1)
            if _hydrogens(*kind, written, False, least + count) == total
        )
    return allowed


@lru_cache(maxsize=4096)
def _written(element: str, charge: int, n_bonds: int, total: int) -> int | None:
    """Fewest hydrogens to write at an atom so that it has `total` with those that follow; None where these
    are more."""
    options = (n for n in range(total + 1) if _hydrogens(element, charge, n, False, n_bonds) == total)
    return next(options, None)


@lru_cache(maxsize=4096)
def _hydrogens(element: str, charge: int, written: int, no_implicit: bool, n_bonds: int) -> int | None:
    """All hydrogens of an atom with so many bonds; None where these are too many."""
    most = most_bonds(element, charge)
    if most is None or n_bonds + written > most:
        return None
    return written if no_implicit else written + implied_hydrogens(element, charge, n_bonds + written)


def _systems(bonds: list[Pair]) -> list[list[Pair]]:
    """Bonds that hang together, each but the first of a system joined to one before it."""
    systems, left = [], list(bonds)
    while left:
        system, seen = [left.pop(0)], set()
        for first, second in system:
            for atom in (first, second):
                if atom not in seen:
                    seen.add(atom)
                    near = [bond for bond in left if atom in bond]
                    system += near
                    left = [bond for bond in left if bond not in near]
        systems.append(system)
    return systems


def _sets_of_doubles(bonds: list[Pair], allowed: dict[int, frozenset[int]]) -> Iterator[frozenset[Pair]]:
    """All sets of these bonds that give each atom an allowed number."""
    n_left, count = dict.fromkeys(allowed, 0), dict.fromkeys(allowed, 0)
    for first, second in bonds:
        n_left[first] += 1
        n_left[second] += 1
    chosen: list[Pair] = []

    def fits(atom: int) -> bool:
        least = count[atom]
        return any(least <= number <= least + n_left[atom] for number in allowed[atom])

    def search(place: int) -> Iterator[frozenset[Pair]]:
        if place == len(bonds):
            yield frozenset(chosen)
            return
        first, second = bonds[place]
        n_left[first] -= 1
        n_left[second] -= 1
        if fits(first) and fits(second):
            yield from search(place + 1)
        count[first] += 1
        count[second] += 1
        chosen.append((first, second))
        if fits(first) and fits(second):
            yield from search(place + 1)
        chosen.pop()
        count[first] -= 1
        count[second] -= 1
        n_left[first] += 1
        n_left[second] += 1

    return search(0)
