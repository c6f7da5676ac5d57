"""Molecules back into fragment trees: every way to cut a molecule into pieces of a vocabulary."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rdkit import Chem

from fluvial.chem.assembly import FragmentTree
from fluvial.chem.vocabulary import Fragment, Vocabulary, fragment_mol, hydrogens_after

_MAX_MATCHES = 10_000
"""Most placements of one fragment that are looked at; beyond it a search is not complete."""

Kind = tuple[int, int, int, int, bool]


@dataclass(frozen=True)
class CoverSearch:
    """What the search for a molecule's fragment trees found."""

    trees: tuple[FragmentTree, ...]
    """One for each partition of the atoms among fragments, in a fixed order; at most `max_covers`."""
    is_complete: bool
    """False where a bound on the work stopped the search, so that covers may be missing even if fewer than
    `max_covers` were found."""


@dataclass(frozen=True)
class _Matcher:
    """A fragment as the search needs it; all tuples run over its atoms."""

    mol: Chem.Mol
    kinds: tuple[Kind, ...]
    needs: tuple[tuple[Kind, int], ...]
    degrees: tuple[int, ...]
    points: tuple[tuple[int, ...], ...]
    hydrogens: tuple[tuple[int, ...], ...]
    """Hydrogens left after 0, 1, ... bonds at the atom's points."""


@dataclass(frozen=True)
class _Target:
    """The molecule as the search needs it; all tuples run over its atoms. Masks are sets of atoms as bits.

    Bit k stands for the k-th atom in depth-first order, so the atoms before the first uncovered one are a
    connected part, and every piece of a cover touches an earlier one.
    """

    mol: Chem.Mol
    position: tuple[int, ...]
    kinds: tuple[Kind, ...]
    counts: Counter[Kind]
    hydrogens: tuple[int, ...]
    neighbours: tuple[int, ...]
    """Masks."""
    fixed: tuple[int, ...]
    """Masks of the neighbours across bonds that cannot be cut: in a ring, or not single."""


@dataclass(frozen=True)
class _Placement:
    """A fragment laid on atoms of the molecule so that every condition on it holds."""

    fragment: int
    mask: int
    atoms: tuple[int, ...]
    """Molecule atom of each fragment atom."""


def find_covers(
    vocabulary: Vocabulary, mol: Chem.Mol, max_fragments: int, max_covers: int = 2, max_nodes: int = 20000
) -> CoverSearch:
    """The fragment trees with at most `max_fragments` nodes that assemble to a molecule.

    Two covers are distinct when they differ as sets of (fragment, set of atoms); covers that a symmetry of
    the molecule maps on each other are both found. The search is exact, deterministic for a given order of
    atoms, and stops at `max_covers` covers or after `max_nodes` partial covers. Hydrogens must be implicit.
    Stereo marks are not looked at. A molecule with no atom or with several components has no cover.
    """
    if max_fragments < 1 or mol.GetNumAtoms() == 0 or len(Chem.GetMolFrags(mol)) > 1:
        return CoverSearch((), True)
    matchers, target = _matchers(vocabulary), _target(mol)
    placements: list[_Placement] = []
    is_complete = True
    for number, matcher in enumerate(matchers):
        matches = _matches(matcher, target)
        is_complete &= len(matches) < _MAX_MATCHES
        placements += _placements(number, matcher, target, matches)
    covers, is_finished = _search(placements, mol.GetNumAtoms(), max_fragments, max_covers, max_nodes)
    trees = tuple(_tree(matchers, mol, cover) for cover in covers)
    return CoverSearch(trees, is_finished and is_complete)


@lru_cache(maxsize=16)
def _matchers(vocabulary: Vocabulary) -> tuple[_Matcher, ...]:
    return tuple(_matcher(fragment) for fragment in vocabulary.fragments)


@lru_cache(maxsize=4096)
def _matcher(fragment: Fragment) -> _Matcher:
    mol = fragment_mol(fragment)
    kinds = tuple(_kind(atom) for atom in mol.GetAtoms())
    points = tuple(
        tuple(point for point, atom in enumerate(fragment.points) if atom == index)
        for index in range(len(kinds))
    )
    hydrogens = tuple(
        tuple(left for n in range(len(own) + 1) if (left := hydrogens_after(mol, index, n)) is not None)
        for index, own in enumerate(points)
    )
    degrees = tuple(atom.GetDegree() for atom in mol.GetAtoms())
    return _Matcher(mol, kinds, tuple(Counter(kinds).items()), degrees, points, hydrogens)


def _target(mol: Chem.Mol) -> _Target:
    n_atoms = mol.GetNumAtoms()
    position = _depth_first_positions(mol)
    neighbours, fixed = [0] * n_atoms, [0] * n_atoms
    for bond in mol.GetBonds():
        i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        neighbours[i] |= 1 << position[j]
        neighbours[j] |= 1 << position[i]
        if bond.GetBondType() != Chem.BondType.SINGLE or bond.IsInRing():
            fixed[i] |= 1 << position[j]
            fixed[j] |= 1 << position[i]
    kinds = tuple(_kind(atom) for atom in mol.GetAtoms())
    hydrogens = tuple(int(atom.GetTotalNumHs()) for atom in mol.GetAtoms())
    return _Target(mol, position, kinds, Counter(kinds), hydrogens, tuple(neighbours), tuple(fixed))


def _depth_first_positions(mol: Chem.Mol) -> tuple[int, ...]:
    position: dict[int, int] = {}
    waiting = [0]
    while waiting:
        atom = waiting.pop()
        if atom not in position:
            position[atom] = len(position)
            waiting += [n.GetIdx() for n in reversed(mol.GetAtomWithIdx(atom).GetNeighbors())]
    return tuple(position[atom] for atom in range(len(position)))


def _matches(matcher: _Matcher, target: _Target) -> Sequence[tuple[int, ...]]:
    """Where RDKit's coarser matching fits the fragment; most fragments are ruled out by their atom kinds."""
    if any(target.counts[kind] < count for kind, count in matcher.needs):
        return ()
    if len(matcher.kinds) == 1:
        return [(atom,) for atom, kind in enumerate(target.kinds) if kind == matcher.kinds[0]]
    found: Sequence[tuple[int, ...]] = target.mol.GetSubstructMatches(
        matcher.mol, uniquify=False, maxMatches=_MAX_MATCHES
    )
    return found


def _placements(
    number: int, matcher: _Matcher, target: _Target, matches: Sequence[tuple[int, ...]]
) -> Iterator[_Placement]:
    """One placement for each set of atoms that the fragment can take.

    Matches on the same atoms differ by a symmetry, which may move a listed atom to an unlisted one.
    """
    taken: set[int] = set()
    for atoms in matches:
        mask = sum(1 << target.position[atom] for atom in atoms)
        if mask not in taken and _fits(matcher, target, atoms, mask):
            taken.add(mask)
            yield _Placement(number, mask, atoms)


def _fits(matcher: _Matcher, target: _Target, atoms: tuple[int, ...], mask: int) -> bool:
    for index, atom in enumerate(atoms):
        if target.kinds[atom] != matcher.kinds[index] or target.fixed[atom] & ~mask:
            return False
        if (target.neighbours[atom] & mask).bit_count() != matcher.degrees[index]:
            return False
        n_leaving = (target.neighbours[atom] & ~mask).bit_count()
        hydrogens = matcher.hydrogens[index]
        if n_leaving >= len(hydrogens) or hydrogens[n_leaving] != target.hydrogens[atom]:
            return False
    return True


def _search(
    placements: Sequence[_Placement], n_atoms: int, max_fragments: int, max_covers: int, max_nodes: int
) -> tuple[list[tuple[_Placement, ...]], bool]:
    """Exact covers of all atoms by depth-first search, and whether `max_nodes` sufficed.

    The next piece must hold the first uncovered atom, so each cover is met once. Whether a partial cover can
    be completed depends on the covered atoms alone, so failed sets are remembered with the pieces that were
    left.
    """
    options: defaultdict[int, list[_Placement]] = defaultdict(list)
    for placed in sorted(placements, key=lambda placed: (-placed.mask.bit_count(), placed.fragment)):
        options[_lowest_bit(placed.mask)].append(placed)
    largest = max((placed.mask.bit_count() for placed in placements), default=1)
    everything = (1 << n_atoms) - 1
    covers: list[tuple[_Placement, ...]] = []
    placement: _Placement | None
    failed: dict[int, int] = {}
    chosen: list[_Placement] = []
    frames = [(0, iter(options[0]), 0)]
    n_nodes = 1
    while frames and len(covers) < max_covers:
        covered, remaining, n_before = frames[-1]
        placement = next((placed for placed in remaining if not placed.mask & covered), None)
        if placement is None:
            frames.pop()
            if len(covers) == n_before:
                failed[covered] = max_fragments - len(chosen)
            del chosen[-1:]
            continue
        now, n_left = covered | placement.mask, max_fragments - len(chosen) - 1
        if now == everything:
            covers.append((*chosen, placement))
        elif n_left * largest >= n_atoms - now.bit_count() and failed.get(now, 0) < n_left:
            n_nodes += 1
            if n_nodes > max_nodes:
                return covers, False
            chosen.append(placement)
            frames.append((now, iter(options[_lowest_bit(~now)]), len(covers)))
    return covers, True


def _tree(matchers: Sequence[_Matcher], mol: Chem.Mol, cover: Sequence[_Placement]) -> FragmentTree:
    """The tree of a cover, its nodes in the order in which the search chose them."""
    place = {
        atom: (node, index) for node, placed in enumerate(cover) for index, atom in enumerate(placed.atoms)
    }
    free = {atom: list(matchers[cover[node].fragment].points[index]) for atom, (node, index) in place.items()}
    bonds = []
    for bond in mol.GetBonds():
        ends = sorted((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()), key=lambda atom: place[atom][0])
        i, j = (place[atom][0] for atom in ends)
        if i != j:
            bonds.append((i, free[ends[0]].pop(0), j, free[ends[1]].pop(0)))
    return FragmentTree(tuple(placed.fragment for placed in cover), tuple(sorted(bonds)))


def _lowest_bit(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


def _kind(atom: Chem.Atom) -> Kind:
    return (
        atom.GetAtomicNum(),
        atom.GetFormalCharge(),
        atom.GetIsotope(),
        atom.GetNumRadicalElectrons(),
        atom.GetIsAromatic(),
    )
