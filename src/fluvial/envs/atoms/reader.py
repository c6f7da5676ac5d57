"""Between states and molecules as chemistry reads them, with a memory of what was read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from fluvial.chem.atoms import AtomGraph, build_molecule
from fluvial.chem.properties import parse_smarts
from fluvial.chem.resonance import Resonance, find_resonance, molecule_smiles
from fluvial.envs.atoms.rules import AtomRules
from fluvial.envs.atoms.scaffold import Scaffold
from fluvial.envs.atoms.spelling import with_charges
from fluvial.envs.atoms.tables import AtomTables
from fluvial.envs.graphs.state import Graph

REMEMBERED = 100_000
"""Molecules whose SMILES, aromatic bonds and patterns are remembered; arbitrary, some 100 MB."""


class Reader:
    """Reads the molecules of one environment."""

    def __init__(self, rules: AtomRules, tables: AtomTables, scaffold: Scaffold | None) -> None:
        self.rules, self.tables, self.scaffold = rules, tables, scaffold
        self._values = {name: values.tolist() for name, values in tables.values.items()}
        forbidden, required = (
            [parse_smarts(text) for text in texts] for texts in (rules.forbidden, rules.required)
        )

        def keeps_patterns(graph: AtomGraph) -> bool:
            mol = build_molecule(graph)
            return all(map(mol.HasSubstructMatch, required)) and not any(
                map(mol.HasSubstructMatch, forbidden)
            )

        self._smiles = lru_cache(maxsize=REMEMBERED)(molecule_smiles)
        self._resonance = lru_cache(maxsize=REMEMBERED)(find_resonance)
        self._keeps_patterns = lru_cache(maxsize=REMEMBERED)(keeps_patterns)
        self._placings = lru_cache(maxsize=REMEMBERED)(scaffold.placings) if scaffold else None

    def smiles(self, graphs: Sequence[AtomGraph]) -> list[str]:
        """Canonical SMILES."""
        return [self._smiles(graph) for graph in graphs]

    def resonances(self, graphs: Sequence[AtomGraph]) -> list[Resonance]:
        """Aromatic bonds and numbers of Kekulé forms."""
        return [self._resonance(graph) for graph in graphs]

    def placings(self, graphs: Sequence[AtomGraph]) -> list[int]:
        """Numbers of states that write molecules which have the scaffold, atoms told apart; 1 without one."""
        return [1 if self._placings is None else self._placings(graph) for graph in graphs]

    def keep_patterns(self, graphs: Sequence[AtomGraph]) -> Tensor:
        """Whether molecules have every required pattern and no forbidden one, bool [B]."""
        return torch.tensor([self._keeps_patterns(graph) for graph in graphs], dtype=torch.bool)

    def describe(self, states: Graph, rank: Tensor | None = None) -> list[AtomGraph]:
        """The molecules of states without open wildcards.

        Args:
            states: B states.
            rank: int64 [B, N, N], 1 + place of each neighbour around a stereocentre; without it stereo marks
                are left out.
        """
        sizes, kinds = states.n_nodes.tolist(), self.tables.kinds(states).tolist()
        chosen = {
            name: states.node_attribute[:, :, column].tolist() for name, column in self.tables.columns.items()
        }
        bonds: list[list[tuple[int, int, int]]] = [[] for _ in sizes]
        upper = states.edge.triu()
        places = upper.nonzero()
        orders = upper[tuple(places.unbind(dim=1))].tolist()
        for (row, first, second), order in zip(places.tolist(), orders, strict=True):
            bonds[row].append((first, second, order))
        ranks = [] if rank is None else rank.tolist()
        graphs = []
        for row, size in enumerate(sizes):
            meant = {
                name: tuple(self._values[name][choice] for choice in table[row][:size])
                for name, table in chosen.items()
            }
            nothing = (0,) * size
            turns = meant.get("turn", nothing) if ranks else nothing
            graph = AtomGraph(
                elements=tuple(self.tables.symbols[kind - 1] for kind in kinds[row][:size]),
                charges=meant.get("charge", nothing),
                hydrogens=meant.get("hydrogens", nothing),
                no_implicit=tuple(map(bool, meant.get("no_implicit", nothing))),
                turns=turns,
                ranks=tuple(in_order(ranks[row], atom) if turn else () for atom, turn in enumerate(turns)),
                bonds=tuple(bonds[row]),
            )
            graphs.append(with_charges(graph) if self.rules.five_valent_nitrogen else graph)
        return graphs


def in_order(rank: list[list[int]], atom: int) -> tuple[int, ...]:
    """The neighbours of a stereocentre in order; `rank` as for `describe`, of one molecule."""
    neighbours = [other for other, place in enumerate(rank[atom]) if place]
    return tuple(sorted(neighbours, key=rank[atom].__getitem__))
