"""What the rules of valence say, as tables that are read with a batch of atoms."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fluvial.chem.valence import implied_hydrogens, most_bonds
from fluvial.core.batch import Batch
from fluvial.envs.atoms.rules import WILDCARD, AtomRules
from fluvial.envs.graphs.state import Graph

CHOOSY = ("P", "I")
IMPOSSIBLE = -1


@dataclass(frozen=True)
class AtomTables:
    """Tables over kinds of atoms: 0 is no atom, 1 to E the elements, then those that only the scaffold
    has."""

    symbols: tuple[str, ...]
    """Symbol of each kind, kind 0 left out."""
    n_elements: int
    """E, kinds that can be added."""
    columns: dict[str, int]
    """Column of each attribute of atoms."""
    values: dict[str, Tensor]
    """int64, for each attribute what its values mean, the default 0 first."""
    neutral: Tensor
    """int64 [K], most bonds without a charge."""
    most: Tensor
    """int64 [K, Q], most bonds with each charge; -1 where there is no such atom."""
    implied: Tensor
    """int64 [K, Q, V], hydrogens that follow from 0 to V - 1 bonds."""
    has_several: Tensor
    """bool [K], whether there are several valences, as of sulphur."""
    initial: Graph
    """[1], where building begins."""

    @property
    def wildcard(self) -> int:
        """The kind of an atom still to be chosen; one that no atom has where there is none."""
        return self.symbols.index(WILDCARD) + 1 if WILDCARD in self.symbols else len(self.symbols) + 1

    def number_of(self, symbol: str) -> int:
        """The kind of a symbol; 0 where there is none."""
        return self.symbols.index(symbol) + 1 if symbol in self.symbols else 0

    @property
    def choosy(self) -> list[int]:
        """Kinds that may not have every double bond; see `fluvial.envs.atoms.room.no_double`."""
        return [number for number in map(self.number_of, CHOOSY) if number]

    def to(self, device: torch.device) -> AtomTables:
        """The same tables on a device."""
        moved = {
            name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor | Batch)
        }
        values = {name: value.to(device) for name, value in self.values.items()}
        return AtomTables(**{**vars(self), **moved, "values": values})

    def kinds(self, states: Graph) -> Tensor:
        """The kind of each atom, int64 [B, N]; an open wildcard is one of its own, without bonds to give."""
        node = states.node.long()
        if "fill" not in self.columns:
            return node
        fill = states.node_attribute[:, :, self.columns["fill"]].long()
        return torch.where(fill > 0, fill, node)

    def chosen(self, states: Graph, name: str) -> Tensor | None:
        """Which value each atom's attribute has, int64 [B, N], 0 for the default; None without it."""
        column = self.columns.get(name)
        return None if column is None else states.node_attribute[:, :, column].long()

    def meaning(self, states: Graph, name: str) -> Tensor:
        """What each atom's attribute means, int64 [B, N]; 0 where there is no such attribute."""
        chosen = self.chosen(states, name)
        return (
            torch.zeros_like(states.node, dtype=torch.int64) if chosen is None else self.values[name][chosen]
        )

    def hydrogens(self, states: Graph) -> Tensor:
        """All hydrogens of each atom, int64 [B, N]."""
        written, closed = self.meaning(states, "hydrogens"), self.meaning(states, "no_implicit")
        return self.hydrogens_with(states, written, closed)

    def hydrogens_with(self, states: Graph, written: Tensor, closed: Tensor) -> Tensor:
        """All hydrogens that atoms would have with other attributes, int64 [B, N]; -1 where these are too
        many.

        Args:
            states: legal states.
            written: int64 [B, N], hydrogens written at the atoms.
            closed: int64 [B, N], 1 where none follow from the bonds.
        """
        kind, charge = self.kinds(states), self.chosen(states, "charge")
        charge = torch.zeros_like(kind) if charge is None else charge
        n_bonds = bonds_used(states) + written
        implied = self.implied[kind, charge, n_bonds.clamp_max(self.implied.shape[2] - 1)]
        # Nitrogen with five bonds has more than its valence.
        own = bonds_used(states) + self.meaning(states, "hydrogens")
        is_possible = (n_bonds <= self.most[kind, charge]) | (n_bonds == own)
        return torch.where(is_possible, written + implied * (closed == 0), IMPOSSIBLE)


def bonds_used(states: Graph) -> Tensor:
    """Sum of the orders of each atom's bonds, int64 [B, N]."""
    # On a CPU a third of the time of a sum of whole numbers.
    return states.edge.float().sum(dim=2).long()


def make_tables(rules: AtomRules, symbols: tuple[str, ...], initial: Graph) -> AtomTables:
    """The tables of atoms of `symbols`, the rules' elements first, for building that begins at `initial`."""
    charges = (0, *rules.slots.get("charge", ()))
    most = [[_most(symbol, charge) for charge in charges] for symbol in symbols]
    width = 1 + max(max(row) for row in most)
    implied = [
        [
            [implied_hydrogens(symbol, charge, n) if n <= _most(symbol, charge) else 0 for n in range(width)]
            for charge in charges
        ]
        for symbol in symbols
    ]
    values = {name: torch.tensor([0, *meanings]) for name, meanings in rules.slots.items()}
    neutral = torch.tensor([0, *(row[0] for row in most)])
    nothing = torch.zeros(1, len(charges), dtype=torch.int64)
    several = [_most(symbol, 0) > implied_hydrogens(symbol, 0, 0) for symbol in symbols if symbol != WILDCARD]
    return AtomTables(
        symbols=symbols,
        n_elements=len(rules.elements),
        columns={name: number for number, name in enumerate(rules.slots)},
        values=values,
        neutral=neutral,
        most=torch.cat([nothing, torch.tensor(most)]),
        implied=torch.cat([nothing[..., None].expand(-1, -1, width), torch.tensor(implied)]),
        has_several=torch.tensor([False, *several, *[False] * (WILDCARD in symbols)]),
        initial=initial,
    )


def _most(symbol: str, charge: int) -> int:
    """Most bonds of an atom; -1 where there is none, 0 for an open wildcard."""
    if symbol == WILDCARD:
        return IMPOSSIBLE if charge else 0
    most = most_bonds(symbol, charge)
    return IMPOSSIBLE if most is None else most
