"""Molecules as plain lists of atoms and bonds without aromaticity, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rdkit import Chem, rdBase

_ORDERS = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}
_AS_WRITTEN = Chem.SANITIZE_ALL ^ Chem.SANITIZE_SETAROMATICITY
_TURNS = {1: Chem.ChiralType.CHI_TETRAHEDRAL_CCW, 2: Chem.ChiralType.CHI_TETRAHEDRAL_CW}


@dataclass(frozen=True)
class AtomGraph:
    """A molecule of n atoms in one of its Kekulé forms."""

    elements: tuple[str, ...]
    """[n] symbols; "*" for an atom still to be chosen."""
    charges: tuple[int, ...]
    """[n]."""
    hydrogens: tuple[int, ...]
    """[n], hydrogens written at the atom, besides those that follow from its bonds."""
    no_implicit: tuple[bool, ...]
    """[n], whether no hydrogens follow from the bonds."""
    turns: tuple[int, ...]
    """[n], 0; or, of a stereocentre, 1 or 2: its neighbours in the order of `ranks` go round it anticlockwise
    or clockwise."""
    ranks: tuple[tuple[int, ...], ...]
    """[n], of a stereocentre its neighbours in order; empty for other atoms."""
    bonds: tuple[tuple[int, int, int], ...]
    """Atom i, atom j > i, order 1 to 3; in ascending order."""

    @property
    def n_bonds(self) -> tuple[int, ...]:
        """[n], sum of the orders of each atom's bonds."""
        total = [0] * len(self.elements)
        for first, second, order in self.bonds:
            total[first] += order
            total[second] += order
        return tuple(total)


def build_molecule(graph: AtomGraph, find_aromatic: bool = True) -> Chem.Mol:
    """The sanitised molecule, its atoms in the same order; as it is written unless `find_aromatic`.

    Raises:
        Chem.MolSanitizeException: RDKit refuses it.
    """
    mol = draft_molecule(graph)
    with rdBase.BlockLogs():
        Chem.SanitizeMol(mol, Chem.SANITIZE_ALL if find_aromatic else _AS_WRITTEN)
    if any(graph.turns):
        _set_turns(mol, graph)
        Chem.AssignStereochemistry(mol, cleanIt=True, force=True)
    return mol


def draft_molecule(graph: AtomGraph) -> Chem.RWMol:
    """The molecule as it is written, neither sanitised nor with stereo marks."""
    mol = Chem.RWMol()
    attributes = zip(graph.elements, graph.charges, graph.hydrogens, graph.no_implicit, strict=True)
    for element, charge, n_hydrogens, no_implicit in attributes:
        atom = Chem.Atom(element)
        atom.SetFormalCharge(charge)
        atom.SetNumExplicitHs(n_hydrogens)
        atom.SetNoImplicit(no_implicit)
        mol.AddAtom(atom)
    for first, second, order in graph.bonds:
        mol.AddBond(first, second, _ORDERS[order])
    return mol


def read_atoms(mol: Chem.Mol) -> AtomGraph:
    """The molecule with every hydrogen written, in the Kekulé form that RDKit gives it.

    Bonds of other kinds than single to triple get order 0. Stereo marks are left out; see `turn_of`.
    """
    form = Chem.Mol(mol)
    Chem.Kekulize(form, clearAromaticFlags=True)
    atoms = list(form.GetAtoms())
    orders = {kind: number for number, kind in _ORDERS.items()}
    bonds = [
        _bond(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), orders.get(bond.GetBondType(), 0))
        for bond in form.GetBonds()
    ]
    return AtomGraph(
        elements=tuple(atom.GetSymbol() for atom in atoms),
        charges=tuple(atom.GetFormalCharge() for atom in atoms),
        hydrogens=tuple(atom.GetTotalNumHs() for atom in atoms),
        no_implicit=(True,) * len(atoms),
        turns=(0,) * len(atoms),
        ranks=((),) * len(atoms),
        bonds=tuple(sorted(bonds)),
    )


def parse_as_written(text: str) -> Chem.Mol:
    """The molecule of a SMILES string that `parse_smiles` accepts, in the Kekulé form in which it is written.

    Its atoms have the same numbers; nothing in it is aromatic.
    """
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(text.strip(), sanitize=False)
        Chem.SanitizeMol(mol, _AS_WRITTEN)
        if any(atom.GetAtomicNum() == 1 for atom in mol.GetAtoms()):
            mol = Chem.RemoveHs(mol, sanitize=False)
    return mol


def turn_of(atom: Chem.Atom, ranked: Sequence[int]) -> int:
    """How the neighbours, atoms `ranked` of the molecule in this order, go round a stereocentre; 0
    unknown."""
    for turn, tag in _TURNS.items():
        if atom.GetChiralTag() == tag:
            return turn if _is_even(atom, ranked) else 3 - turn
    return 0


def breadth_first(graph: AtomGraph, first: Sequence[int] = (0,)) -> tuple[int, ...]:
    """All atoms that hang together with the `first`, so that each later one is bonded to one before it."""
    near: dict[int, list[int]] = {atom: [] for atom in range(len(graph.elements))}
    for one, other, _ in graph.bonds:
        near[one].append(other)
        near[other].append(one)
    order, seen = list(first), set(first)
    for atom in order:
        fresh = [other for other in near[atom] if other not in seen]
        seen.update(fresh)
        order += fresh
    return tuple(order)


def renumbered(graph: AtomGraph, order: Sequence[int]) -> AtomGraph:
    """The molecule without stereo marks, with atom order[i] as atom i."""
    place = {atom: number for number, atom in enumerate(order)}
    bonds = [_bond(place[one], place[other], kind) for one, other, kind in graph.bonds]
    return AtomGraph(
        elements=tuple(graph.elements[atom] for atom in order),
        charges=tuple(graph.charges[atom] for atom in order),
        hydrogens=tuple(graph.hydrogens[atom] for atom in order),
        no_implicit=tuple(graph.no_implicit[atom] for atom in order),
        turns=(0,) * len(order),
        ranks=((),) * len(order),
        bonds=tuple(sorted(bonds)),
    )


def _bond(one: int, other: int, order: int) -> tuple[int, int, int]:
    return min(one, other), max(one, other), order


def _set_turns(mol: Chem.Mol, graph: AtomGraph) -> None:
    for number, turn in enumerate(graph.turns):
        if turn:
            atom = mol.GetAtomWithIdx(number)
            atom.SetChiralTag(_TURNS[turn if _is_even(atom, graph.ranks[number]) else 3 - turn])


def _is_even(atom: Chem.Atom, ranked: Sequence[int]) -> bool:
    """Whether an even number of exchanges leads from RDKit's order of an atom's neighbours to `ranked`."""
    place = [ranked.index(bond.GetOtherAtomIdx(atom.GetIdx())) for bond in atom.GetBonds()]
    n_inversions = sum(place[i] > place[j] for i in range(len(place)) for j in range(i + 1, len(place)))
    return n_inversions % 2 == 0
