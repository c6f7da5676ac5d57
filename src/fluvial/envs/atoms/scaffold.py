"""The molecule that building starts from."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from math import prod

from rdkit import Chem

from fluvial.chem.atoms import (
    AtomGraph,
    breadth_first,
    draft_molecule,
    parse_as_written,
    read_atoms,
    renumbered,
)
from fluvial.chem.molecules import parse_smiles
from fluvial.chem.resonance import kekule_forms
from fluvial.chem.valence import most_bonds
from fluvial.core.errors import ConfigError, DataError
from fluvial.envs.atoms.nitrogen import DOUBLE
from fluvial.envs.atoms.rules import WILDCARD, AtomRules
from fluvial.envs.atoms.spelling import spelled, total_hydrogens, without_charges
from fluvial.envs.atoms.tables import CHOOSY

_MOST_MATCHES = 1_000_000
_ORDER_QUERIES = {1: "-", 2: "=", 3: "#"}


class Scaffold:
    """A molecule that is part of every other one.

    Raises:
        ConfigError: a SMILES that is none, or a molecule that breaks a rule.
    """

    def __init__(self, rules: AtomRules) -> None:
        self.rules, text = rules, rules.scaffold or ""
        try:
            mol = parse_smiles(text)
        except DataError as error:
            raise ConfigError(f"scaffold: {error}") from error
        graph = read_atoms(parse_as_written(text))
        order = breadth_first(graph)
        self._check(mol, len(order))
        self.graph = self._spelled(renumbered(graph, order))
        self._query = _query(self.graph)

    def _check(self, mol: Chem.Mol, n_joined: int) -> None:
        text, rules = self.rules.scaffold, self.rules
        n_atoms, n_open = mol.GetNumAtoms(), sum(atom.GetAtomicNum() == 0 for atom in mol.GetAtoms())
        if n_joined < n_atoms:
            raise ConfigError(f"scaffold '{text}' has several parts; give one molecule")
        if n_atoms > rules.max_atoms:
            raise ConfigError(
                f"scaffold '{text}' has {n_atoms} atoms, more than max_atoms = {rules.max_atoms}"
            )
        if bool(n_open) != rules.wildcard:
            raise ConfigError(f"scaffold '{text}' has {n_open} atoms without an element; write them as '*'")
        if rules.max_bonds is not None and mol.GetNumBonds() > rules.max_bonds:
            raise ConfigError(
                f"scaffold '{text}' has {mol.GetNumBonds()} bonds, more than max_bonds = {rules.max_bonds}"
            )
        largest = n_atoms if rules.max_ring_size is None else rules.max_ring_size
        for ring in Chem.GetSymmSSSR(mol):
            if not rules.min_ring_size <= len(ring) <= largest:
                raise ConfigError(
                    f"scaffold '{text}' has a ring of {len(ring)} atoms, which the limits of ring sizes"
                    " forbid"
                )

    def _spelled(self, graph: AtomGraph) -> AtomGraph:
        text = self.rules.scaffold
        try:
            graph = spelled(graph, self.rules)
        except DataError as error:
            raise ConfigError(f"scaffold '{text}': {error}") from error
        doubles = {frozenset(bond[:2]) for bond in graph.bonds if bond[2] == DOUBLE}
        for atom in (atom for atom, element in enumerate(graph.elements) if element == WILDCARD):
            others = [graph.elements[other] for pair in doubles if atom in pair for other in pair - {atom}]
            if not any(self._can_be(graph, atom, element) for element in self.rules.elements):
                raise ConfigError(f"scaffold '{text}': no element of {self.rules.elements} fits its atom '*'")
            if set(others) & {*CHOOSY, WILDCARD}:
                raise ConfigError(
                    f"scaffold '{text}': an atom '*' has a double bond to {others[0]}; write it out"
                )
        return graph

    def _can_be(self, graph: AtomGraph, atom: int, element: str) -> bool:
        """Whether an element fits a wildcard of the scaffold `graph`."""
        has_double = any(atom in bond[:2] and bond[2] == DOUBLE for bond in graph.bonds)
        fits = (most_bonds(element, 0) or 0) >= graph.n_bonds[atom]
        return element in self.rules.elements and fits and not (has_double and element in CHOOSY)

    def placings(self, graph: AtomGraph) -> int:
        """Number of states that write a molecule, atoms told apart: in each Kekulé form, for each place of
        the scaffold, the choices of attributes."""
        forms = kekule_forms(graph)
        if self.rules.five_valent_nitrogen:
            forms = map(without_charges, forms)
        return sum(self._choices(form, place) for form in forms for place in self.places(form))

    def places(self, form: AtomGraph) -> Iterator[tuple[int, ...]]:
        """Atoms of a Kekulé form, as states write it, that are those of the scaffold in order, in each
        way."""
        matches = draft_molecule(form).GetSubstructMatches(
            self._query, uniquify=False, maxMatches=_MOST_MATCHES
        )
        return (place for place in matches if self._choices(form, place))

    def _choices(self, form: AtomGraph, place: Sequence[int]) -> int:
        """Number of choices of the atoms' attributes with the same hydrogens; 0 where the scaffold does not
        fit."""
        own = dict(zip(place, range(len(place)), strict=True))
        if not all(self._fits(form, atom, here) for atom, here in own.items()):
            return 0
        counts = [len(self._options(form, atom, own.get(atom))) for atom in range(len(form.elements))]
        # Smaller molecules, where nothing else is legal, have no hydrogens written but the scaffold's.
        return prod(counts) if len(counts) >= self.rules.min_atoms else int(all(counts))

    def _fits(self, form: AtomGraph, atom: int, own: int) -> bool:
        if self.graph.elements[own] == WILDCARD:
            return self._can_be(self.graph, own, form.elements[atom])
        return self.graph.charges[own] in (0, form.charges[atom])

    def attributed(self, form: AtomGraph, place: Sequence[int]) -> AtomGraph:
        """The molecule with attributes that leave the scaffold at `place` its own."""
        own = dict(zip(place, range(len(place)), strict=True))
        options = [self._options(form, atom, own.get(atom))[0] for atom in range(len(form.elements))]
        hydrogens, no_implicit = zip(*options, strict=True)
        return dataclasses.replace(form, hydrogens=hydrogens, no_implicit=no_implicit)

    def _options(self, form: AtomGraph, atom: int, own: int | None) -> list[tuple[int, bool]]:
        """Written hydrogens, and whether none follow, that give an atom as many hydrogens as it has."""
        fixed = (0, False) if own is None else (self.graph.hydrogens[own], self.graph.no_implicit[own])
        kind = form.elements[atom], form.charges[atom], form.n_bonds[atom]
        wanted = total_hydrogens(*kind, form.hydrogens[atom], form.no_implicit[atom], self.rules)
        return [
            (written, is_closed)
            for is_closed in ((False, True) if self.rules.no_implicit and not fixed[1] else (fixed[1],))
            for written in (self.rules.counts if not fixed[0] else (fixed[0],))
            if total_hydrogens(*kind, written, is_closed, self.rules) == wanted
        ]


def _query(graph: AtomGraph) -> Chem.Mol:
    """The scaffold as a pattern of elements and bond orders, which may have more bonds and charges."""
    query = Chem.RWMol()
    for element in graph.elements:
        number = Chem.GetPeriodicTable().GetAtomicNumber(element)
        query.AddAtom(Chem.AtomFromSmarts(f"[#{number}]" if number else "*"))
    for first, second, order in graph.bonds:
        query.AddBond(first, second, Chem.BondType.SINGLE)
        bond = query.GetBondBetweenAtoms(first, second)
        query.ReplaceBond(bond.GetIdx(), Chem.BondFromSmarts(_ORDER_QUERIES[order]))
    return query.GetMol()
