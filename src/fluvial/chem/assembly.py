"""Fragment trees into molecules."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rdkit import Chem

from fluvial.chem.molecules import canonical_smiles
from fluvial.chem.vocabulary import Vocabulary
from fluvial.core.errors import DataError


@dataclass(frozen=True)
class FragmentTree:
    """Fragments joined by single bonds between their points, without rings."""

    fragments: tuple[int, ...]
    """Number of each node's fragment in the vocabulary."""
    bonds: tuple[tuple[int, int, int, int], ...]
    """(node i, point of i, node j, point of j) with i < j; each point is used at most once."""


@dataclass(frozen=True)
class _Piece:
    """A fragment as assembly needs it."""

    mol: Chem.Mol
    n_atoms: int
    points: tuple[int, ...]
    has_written_hydrogen: tuple[bool, ...]
    """For each point, whether its atom's hydrogens are counted in the text (`[nH]`) instead of derived."""


def assemble(vocabulary: Vocabulary, tree: FragmentTree) -> Chem.Mol:
    """The sanitised molecule of a tree, its atoms in the order of the nodes and of their fragments' atoms.

    Each bond replaces one hydrogen at both of its ends. Raises `DataError` for a tree that is none: a point
    used twice or out of range, a missing bond, a ring, an unknown fragment.
    """
    pieces = _pieces(vocabulary)
    _check(pieces, tree)
    first = pieces[tree.fragments[0]]
    editable, offsets, n_atoms = Chem.RWMol(first.mol), [0], first.n_atoms
    for number in tree.fragments[1:]:
        offsets.append(n_atoms)
        editable.InsertMol(pieces[number].mol)
        n_atoms += pieces[number].n_atoms
    for i, point_i, j, point_j in tree.bonds:
        ends = []
        for node, point in ((i, point_i), (j, point_j)):
            piece = pieces[tree.fragments[node]]
            ends.append(offsets[node] + piece.points[point])
            if piece.has_written_hydrogen[point]:
                atom = editable.GetAtomWithIdx(ends[-1])
                atom.SetNumExplicitHs(atom.GetNumExplicitHs() - 1)
        editable.AddBond(ends[0], ends[1], Chem.BondType.SINGLE)
    try:
        Chem.SanitizeMol(editable)
    except ValueError as error:
        raise DataError(f"the fragments of {tree} make no possible molecule: {error}") from error
    return editable


def assemble_smiles(vocabulary: Vocabulary, tree: FragmentTree) -> str:
    """The canonical SMILES of a tree's molecule; raises as `assemble` does."""
    return canonical_smiles(assemble(vocabulary, tree))


@lru_cache(maxsize=16)
def _pieces(vocabulary: Vocabulary) -> tuple[_Piece, ...]:
    pieces = []
    for fragment, mol in zip(vocabulary.fragments, vocabulary.mols, strict=True):
        written = tuple(mol.GetAtomWithIdx(atom).GetNumExplicitHs() > 0 for atom in fragment.points)
        pieces.append(_Piece(mol, mol.GetNumAtoms(), fragment.points, written))
    return tuple(pieces)


def _check(pieces: tuple[_Piece, ...], tree: FragmentTree) -> None:
    n_nodes = len(tree.fragments)
    if not n_nodes or not all(0 <= number < len(pieces) for number in tree.fragments):
        raise DataError(f"{tree} needs one or more fragment numbers from 0 to {len(pieces) - 1}.")
    used: set[tuple[int, int]] = set()
    group = list(range(n_nodes))
    for i, point_i, j, point_j in tree.bonds:
        if not 0 <= i < j < n_nodes:
            raise DataError(f"{tree} joins nodes {i} and {j}; it needs 0 <= i < j < {n_nodes}.")
        for node, point in ((i, point_i), (j, point_j)):
            n_points = len(pieces[tree.fragments[node]].points)
            if not 0 <= point < n_points or (node, point) in used:
                raise DataError(
                    f"{tree} uses point {point} of node {node}; it has {n_points} points, each usable once."
                )
            used.add((node, point))
        if group[i] == group[j]:
            raise DataError(f"{tree} has a ring through nodes {i} and {j}; a tree has none.")
        group = [group[i] if label == group[j] else label for label in group]
    if len(tree.bonds) != n_nodes - 1:
        raise DataError(f"{tree} has {len(tree.bonds)} bonds; {n_nodes} connected nodes need {n_nodes - 1}.")
