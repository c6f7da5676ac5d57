"""Why an environment cannot build a molecule."""

from __future__ import annotations

from rdkit import Chem

from fluvial.chem.atoms import AtomGraph
from fluvial.chem.valence import most_bonds
from fluvial.core.errors import DataError
from fluvial.envs.atoms.nitrogen import DOUBLE, FIVE, NITROGEN, OXYGEN, TRIPLE
from fluvial.envs.atoms.rules import AtomRules
from fluvial.envs.atoms.scaffold import Scaffold

_ORGANIC = {"C", "N"}


def check_molecule(mol: Chem.Mol, n_joined: int, rules: AtomRules, known: set[str]) -> None:
    """Raise `DataError` for what no state says of a molecule, or for its size.

    Args:
        mol: the molecule as RDKit reads it.
        n_joined: atoms that hang together.
        rules: of the environment.
        known: symbols of the elements and of what the scaffold has.
    """
    atoms, n_atoms = list(mol.GetAtoms()), mol.GetNumAtoms()
    if n_joined < n_atoms:
        raise DataError("it has several parts, such as a salt; give one molecule")
    for atom in atoms:
        if atom.GetSymbol() not in known:
            raise DataError(f"atom {atom.GetIdx()} is {atom.GetSymbol()}, which is not among the elements")
    if n_atoms > rules.max_atoms:
        raise DataError(f"it has {n_atoms} atoms, more than max_atoms = {rules.max_atoms}")
    if rules.max_bonds is not None and mol.GetNumBonds() > rules.max_bonds:
        raise DataError(f"it has {mol.GetNumBonds()} bonds, more than max_bonds = {rules.max_bonds}")
    if any(atom.GetIsotope() or atom.GetAtomMapNum() for atom in atoms):
        raise DataError("isotopes and atom numbers cannot be written; leave them out")
    if any(bond.GetStereo() != Chem.BondStereo.STEREONONE for bond in mol.GetBonds()):
        raise DataError("the sides of double bonds cannot be written; leave out the marks '/' and '\\'")
    if not rules.chirality and any(atom.GetChiralTag() for atom in atoms):
        raise DataError("stereocentres need chirality = True; or leave out the marks '@'")
    largest = n_atoms if rules.max_ring_size is None else rules.max_ring_size
    for ring in Chem.GetSSSR(mol):
        if not rules.min_ring_size <= len(ring) <= largest:
            raise DataError(f"it has a ring of {len(ring)} atoms, which the limits of ring sizes forbid")


def check_graph(graph: AtomGraph, rules: AtomRules, scaffold: Scaffold | None) -> None:
    """Raise `DataError` for an atom or bond, not of the scaffold in front, that is never added."""
    n_own = 0 if scaffold is None else len(scaffold.graph.elements)
    own_bonds = () if scaffold is None else scaffold.graph.bonds
    for atom, element in enumerate(graph.elements):
        if atom >= n_own and element not in rules.elements:
            raise DataError(f"atom {atom} is {element}, which is not among the elements {rules.elements}")
    for first, second, order in set(graph.bonds) - set(own_bonds):
        ends = graph.elements[first], graph.elements[second]
        if order not in rules.bond_orders:
            raise DataError(f"the bond of atoms {first} and {second} has order {order}, not in bond_orders")
        if order > min(most_bonds(element, 0) or 0 for element in ends):
            raise DataError(
                f"the bond of atoms {first} and {second} ({ends[0]}, {ends[1]}) has order {order}, which only"
                " charges allow; charges come after bonds"
            )
    for atom, element in enumerate(graph.elements):
        doubles = {other for other, order in neighbours(graph, atom) if order == DOUBLE}
        if element == "P" and OXYGEN in doubles and doubles & _ORGANIC:
            raise DataError(f"atom {atom} (P) has double bonds to O and to C or N, which RDKit rewrites")
        if element == "I" and OXYGEN in doubles:
            raise DataError(f"atom {atom} (I) has a double bond to O, which RDKit rewrites")
        if rules.five_valent_nitrogen and element == NITROGEN:
            _check_nitrogen(graph, atom)


def neighbours(graph: AtomGraph, atom: int) -> list[tuple[str, int]]:
    """Element of each neighbour of an atom and order of the bond."""
    return [
        (graph.elements[first + second - atom], order)
        for first, second, order in graph.bonds
        if atom in (first, second)
    ]


def _check_nitrogen(graph: AtomGraph, atom: int) -> None:
    ends = {(OXYGEN, DOUBLE), (NITROGEN, TRIPLE)} & set(neighbours(graph, atom))
    if graph.n_bonds[atom] + graph.hydrogens[atom] == FIVE and len(ends) != 1:
        raise DataError(
            f"atom {atom} (N) has five bonds, but not one kind of end that nitrogen can get them by"
        )
