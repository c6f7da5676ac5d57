"""What a molecule is, whichever of its states is meant: identity and number of ways to write it.

A state writes one Kekulé form of a molecule, with attributes some of which may say nothing new, and with a
scaffold in one of the places where the molecule has it. A finished state stands for its molecule.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import torch
from torch import Tensor

from fluvial.chem.resonance import Resonance
from fluvial.envs.atoms.alternation import can_alternate
from fluvial.envs.atoms.reader import Reader
from fluvial.envs.atoms.tables import AtomTables
from fluvial.envs.graphs import canonical
from fluvial.envs.graphs.state import Graph

AROMATIC = 4
"""In place of the order of an aromatic bond."""


def molecules_of(states: Graph, reader: Reader) -> tuple[Graph, Tensor]:
    """Molecules without what differs between the states that write them, and their Kekulé forms.

    Returns:
        Graphs whose nodes have charge, hydrogens and stereo mark, and whose aromatic bonds have an order of
        their own; and the numbers of Kekulé forms, float64 [B].
    """
    tables = reader.tables
    edge, n_forms = states.edge, torch.ones(len(states), dtype=torch.float64, device=states.device)
    rows = can_alternate(states, tables).nonzero()[:, 0]
    if len(rows):
        found = reader.resonances(reader.describe(states[rows]))
        n_forms[rows] = torch.tensor([part.n_forms for part in found]).to(n_forms)
        edge = _with_aromatic(edge, rows, found)
    columns = [_column(states, tables, "charge"), tables.hydrogens(states), _column(states, tables, "turn")]
    return (
        replace(
            states,
            node=tables.kinds(states).to(torch.int8),
            edge=edge,
            node_attribute=torch.stack(columns, dim=2).to(torch.int8),
        ),
        n_forms,
    )


def key(states: Graph, reader: Reader) -> Tensor:
    """Identity, int64 [B]: of the molecule where a state is finished, else of the state."""
    result = torch.zeros(len(states), dtype=torch.int64, device=states.device)
    done, open_ = (part.nonzero()[:, 0] for part in (states.is_done, ~states.is_done))
    if len(done):
        result[done] = canonical.key(molecules_of(states[done], reader)[0])
    if len(open_):
        result[open_] = canonical.key(_with_scaffold(states[open_], reader.tables))
    return result


def log_ways(states: Graph, n_forms: Tensor, reader: Reader) -> Tensor:
    """Log of the number of states that write each molecule, atoms told apart, float64 [B].

    These are its Kekulé forms, times the choices of attributes with the same hydrogens, times the places
    where it has the scaffold. `n_forms` as `molecules_of` gives them.
    """
    if reader.scaffold is not None:
        graphs = reader.describe(states)
        return torch.tensor(reader.placings(graphs), dtype=torch.float64).log().to(states.device)
    choices = _choices(states, reader.tables).double().log().sum(dim=1)
    # Smaller molecules, where nothing else is legal, have no hydrogens written; see `forward`.
    return n_forms.log() + choices * (states.n_nodes >= reader.rules.min_atoms)


def _choices(states: Graph, tables: AtomTables) -> Tensor:
    """Number of choices of each atom's attributes that give it the same hydrogens, int64 [B, N]."""
    total, count = tables.hydrogens(states), torch.zeros_like(states.node, dtype=torch.int64)
    every = [tables.values.get(name, torch.zeros(1)).tolist() for name in ("hydrogens", "no_implicit")]
    for written, closed in product(*every):
        like = torch.full_like(total, int(written)), torch.full_like(total, int(closed))
        count += tables.hydrogens_with(states, *like) == total
    return torch.where(states.exists, count, 1)


def _with_scaffold(states: Graph, tables: AtomTables) -> Graph:
    """States in which atoms and bonds of the scaffold are marked by what they were at first."""
    initial = tables.initial
    if not bool(initial.exists.any()):
        return states
    own = torch.cat([initial.node[..., None], initial.node_attribute], dim=2)
    return replace(
        states,
        node_attribute=torch.cat([states.node_attribute, own.expand(len(states), -1, -1)], dim=2),
        edge_attribute=initial.edge[..., None].expand(len(states), -1, -1, -1),
    )


def _with_aromatic(edge: Tensor, rows: Tensor, found: list[Resonance]) -> Tensor:
    """Orders in which bonds are aromatic where that makes several forms one molecule."""
    places = [
        (row, first, second)
        for row, part in zip(rows.tolist(), found, strict=True)
        for first, second in (part.aromatic if part.n_forms > 1 else ())
    ]
    row, first, second = (
        torch.tensor(places, dtype=torch.int64, device=edge.device).reshape(-1, 3).unbind(dim=1)
    )
    marked = edge.clone()
    marked[row, first, second] = AROMATIC
    marked[row, second, first] = AROMATIC
    return marked


def _column(states: Graph, tables: AtomTables, name: str) -> Tensor:
    chosen = tables.chosen(states, name)
    return torch.zeros_like(states.node, dtype=torch.int64) if chosen is None else chosen
