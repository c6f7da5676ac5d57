"""How the atoms of a molecule are written with the attributes that an environment has."""

from __future__ import annotations

import dataclasses
from itertools import product

from fluvial.chem.atoms import AtomGraph
from fluvial.chem.valence import implied_hydrogens, most_bonds
from fluvial.core.errors import DataError
from fluvial.envs.atoms.nitrogen import DOUBLE, FIVE, NITROGEN, OXYGEN, TRIPLE
from fluvial.envs.atoms.rules import WILDCARD, AtomRules

_ENDS = ((OXYGEN, DOUBLE), (NITROGEN, TRIPLE))
"""What gives a nitrogen its fifth bond, and by which order."""


def spelled(graph: AtomGraph, rules: AtomRules) -> AtomGraph:
    """The molecule with as few attributes as the environment can write it with.

    Args:
        graph: with all hydrogens written, as `read_atoms` gives it.
        rules: of the environment.

    Raises:
        DataError: the environment cannot write an atom or bond; the message names the first.
    """
    if any(order == 0 for _, _, order in graph.bonds):
        raise DataError("a bond is neither single nor double nor triple")
    if rules.five_valent_nitrogen:
        graph = without_charges(graph)
    written, closed = [], []
    for atom, element in enumerate(graph.elements):
        if graph.charges[atom] not in rules.charges:
            raise DataError(
                f"atom {atom} ({element}) has charge {graph.charges[atom]:+d}, which is not among the charges"
            )
        choice = (0, False) if element == WILDCARD else _hydrogens(graph, atom, rules)
        written.append(choice[0])
        closed.append(choice[1])
    return dataclasses.replace(graph, hydrogens=tuple(written), no_implicit=tuple(closed))


def with_charges(graph: AtomGraph) -> AtomGraph:
    """The molecule with charges in place of the fifth bonds of nitrogen, as RDKit writes it."""
    charges, bonds = list(graph.charges), list(graph.bonds)
    n_bonds = [own + written for own, written in zip(graph.n_bonds, graph.hydrogens, strict=True)]
    for atom, element in enumerate(graph.elements):
        if element == NITROGEN and n_bonds[atom] == FIVE:
            place, other, order = next(
                (place, first + second - atom, order)
                for place, (first, second, order) in enumerate(bonds)
                if atom in (first, second) and (graph.elements[first + second - atom], order) in _ENDS
            )
            bonds[place] = (*bonds[place][:2], order - 1)
            charges[atom], charges[other] = 1, -1
    return dataclasses.replace(graph, charges=tuple(charges), bonds=tuple(bonds))


def without_charges(graph: AtomGraph) -> AtomGraph:
    """The molecule with five bonds at nitrogen in place of the charges of N+ and its neighbour."""
    charges, bonds = list(graph.charges), list(graph.bonds)
    for place, (first, second, order) in enumerate(bonds):
        for atom, other in ((first, second), (second, first)):
            is_pair = (charges[atom], charges[other]) == (1, -1) and graph.elements[atom] == NITROGEN
            if is_pair and (graph.elements[other], order + 1) in _ENDS:
                bonds[place] = (first, second, order + 1)
                charges[atom] = charges[other] = 0
    return dataclasses.replace(graph, charges=tuple(charges), bonds=tuple(bonds))


def _hydrogens(graph: AtomGraph, atom: int, rules: AtomRules) -> tuple[int, bool]:
    """Hydrogens to write at an atom, and whether none follow from its bonds."""
    element, charge, n_bonds = graph.elements[atom], graph.charges[atom], graph.n_bonds[atom]
    wanted = graph.hydrogens[atom]
    closings = (False, True) if rules.no_implicit else (False,)
    for is_closed, written in product(closings, rules.counts):
        if total_hydrogens(element, charge, n_bonds, written, is_closed, rules) == wanted:
            return written, is_closed
    raise DataError(
        f"atom {atom} ({element}, {n_bonds} bonds) has {wanted} hydrogens, and"
        f" {total_hydrogens(element, charge, n_bonds, 0, False, rules)} follow from its bonds; explicit_h ="
        f" {rules.counts} and no_implicit = {rules.no_implicit} cannot write that"
    )


def total_hydrogens(
    element: str, charge: int, n_bonds: int, written: int, is_closed: bool, rules: AtomRules
) -> int | None:
    """All hydrogens of an atom; None where it has too many bonds."""
    used, most = n_bonds + written, most_bonds(element, charge)
    if rules.five_valent_nitrogen and element == NITROGEN and used == FIVE:
        return written
    if most is None or used > most:
        return None
    return written if is_closed else written + implied_hydrogens(element, charge, used)
