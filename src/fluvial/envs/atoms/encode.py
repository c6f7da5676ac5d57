"""SMILES to finished states, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from rdkit import Chem

from fluvial.chem.atoms import AtomGraph, breadth_first, parse_as_written, read_atoms, renumbered, turn_of
from fluvial.chem.molecules import parse_smiles
from fluvial.chem.resonance import kekule_forms
from fluvial.core.environment import Found
from fluvial.core.errors import DataError
from fluvial.envs.atoms.fitting import check_graph, check_molecule
from fluvial.envs.atoms.reader import Reader, in_order
from fluvial.envs.atoms.scaffold import Scaffold
from fluvial.envs.atoms.spelling import spelled, with_charges, without_charges
from fluvial.envs.atoms.stereo import find_centres
from fluvial.envs.atoms.tables import AtomTables
from fluvial.envs.graphs.state import Graph


@dataclass(frozen=True)
class Draft:
    """What became of one text."""

    found: Found
    reason: str
    """Why there is no state; empty where there is one."""
    graph: AtomGraph | None = None
    """The molecule in the order of the state's atoms, without stereo marks."""
    mol: Chem.Mol | None = None
    """The molecule as RDKit read it; None without a state."""
    order: tuple[int, ...] = ()
    """RDKit's number of each atom of the state."""


def read_text(text: str, reader: Reader) -> Draft:
    """How a molecule is written as a state, as far as chemistry can tell."""
    try:
        mol = parse_smiles(text)
    except DataError as error:
        return Draft(Found.INVALID, str(error))
    graph = read_atoms(parse_as_written(text))
    order = breadth_first(graph)
    try:
        check_molecule(mol, len(order), reader.rules, {*reader.tables.symbols})
        graph = spelled(graph, reader.rules)
        if reader.scaffold is not None:
            graph, order = _with_scaffold(graph, reader.scaffold)
        else:
            graph = renumbered(graph, order)
        check_graph(graph, reader.rules, reader.scaffold)
    except DataError as error:
        return Draft(Found.NONE, str(error))
    return Draft(Found.ONE, "", graph, mol, order)


def _with_scaffold(graph: AtomGraph, scaffold: Scaffold) -> tuple[AtomGraph, tuple[int, ...]]:
    """A Kekulé form with the scaffold in front, and the old number of each atom."""
    is_five = scaffold.rules.five_valent_nitrogen
    for form in kekule_forms(with_charges(graph) if is_five else graph):
        form = without_charges(form) if is_five else form
        for place in scaffold.places(form):
            order = breadth_first(form, place)
            return renumbered(scaffold.attributed(form, place), order), order
    raise DataError(f"it does not contain the scaffold '{scaffold.rules.scaffold}'")


def write_states(graphs: Sequence[AtomGraph | None], tables: AtomTables) -> Graph:
    """Unfinished states of molecules whose atoms are in the order of the states; None becomes `initial`."""
    initial = tables.initial
    states = initial.repeat(len(graphs))
    n_own = int(initial.n_nodes)
    own_node = initial.node[0].tolist()
    for row, graph in enumerate(graphs):
        if graph is None:
            continue
        size = len(graph.elements)
        kinds = [tables.number_of(element) for element in graph.elements]
        columns = {
            "charge": graph.charges,
            "hydrogens": graph.hydrogens,
            "no_implicit": tuple(map(int, graph.no_implicit)),
            "turn": graph.turns,
            "fill": tuple(
                kind if atom < n_own and own_node[atom] == tables.wildcard else 0
                for atom, kind in enumerate(kinds)
            ),
        }
        for name, column in tables.columns.items():
            values = tables.values[name].tolist()
            chosen = torch.tensor([values.index(value) for value in columns[name]], dtype=torch.int8)
            states.node_attribute[row, :size, column] = chosen
        states.node[row, n_own:size] = torch.tensor(kinds[n_own:], dtype=torch.int8)
        bonds = torch.tensor(graph.bonds, dtype=torch.int64).reshape(-1, 3)
        first, second, order = bonds.unbind(dim=1)
        states.edge[row, first, second] = order.to(torch.int8)
        states.edge[row, second, first] = order.to(torch.int8)
    return states


def add_turns(states: Graph, drafts: Sequence[Draft], reader: Reader) -> tuple[Graph, list[Draft]]:
    """The states with the stereo marks of their molecules; those with marks that cannot be written are
    refused."""
    centres = find_centres(states, reader)
    ranks, is_centre = centres.rank.tolist(), centres.is_centre.tolist()
    attributes, results = states.node_attribute.clone(), []
    for row, part in enumerate(drafts):
        turns = _turns(part, is_centre[row], ranks[row])
        if isinstance(turns, str):
            results.append(replace(part, found=Found.NONE, reason=turns, graph=None))
            continue
        for atom, turn in turns.items():
            attributes[row, atom, reader.tables.columns["turn"]] = turn
        results.append(part)
    return replace(states, node_attribute=attributes), results


def _turns(part: Draft, is_centre: list[bool], rank: list[list[int]]) -> dict[int, int] | str:
    """Mark of each marked atom, or why one cannot be written."""
    turns: dict[int, int] = {}
    if part.mol is None or part.graph is None:
        return turns
    for atom, number in enumerate(part.order):
        mark = part.mol.GetAtomWithIdx(number)
        if mark.GetChiralTag() and not is_centre[atom]:
            symbol = mark.GetSymbol()
            return f"atom {number} ({symbol}) is a stereocentre only by the marks of others, or its ring"
        if mark.GetChiralTag():
            turns[atom] = turn_of(mark, [part.order[other] for other in in_order(rank, atom)])
    return turns
