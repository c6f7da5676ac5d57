"""Nitrogen with five bonds, as in nitro groups that are written without charges.

Nitrogen jumps from three bonds to five when a double-bonded oxygen comes, and from two to five when a
nitrogen comes with three bonds; either end then has no bond left. So each nitrogen with five bonds has such
an end, and RDKit writes it with charges: N(=O)=O as [N+](=O)[O-], N=N#N as N=[N+]=[N-].
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from fluvial.envs.atoms.room import Room
from fluvial.envs.atoms.tables import AtomTables
from fluvial.envs.graphs.state import Graph

NITROGEN, OXYGEN = "N", "O"
FIVE, DOUBLE, TRIPLE = 5, 2, 3


def nitrogen_rooms(states: Graph, room: Room, tables: AtomTables) -> Iterator[tuple[int, int, Tensor]]:
    """Kind, order and place, bool [B, N], of atoms whose coming gives a nitrogen five bonds."""
    nitrogen, oxygen = tables.number_of(NITROGEN), tables.number_of(OXYGEN)
    is_nitrogen = room.kind == nitrogen
    if oxygen and oxygen <= tables.n_elements:
        has_triple = _has_bond(states, room.kind == nitrogen, TRIPLE)
        yield oxygen, DOUBLE, is_nitrogen & (room.used == FIVE - DOUBLE) & ~has_triple
    has_oxygen = _has_bond(states, (room.kind == oxygen) & (oxygen > 0), DOUBLE)
    yield nitrogen, TRIPLE, is_nitrogen & (room.used == FIVE - TRIPLE) & ~has_oxygen


def has_five_bonds(room: Room, tables: AtomTables) -> Tensor:
    """Which atoms are nitrogen with five bonds, bool [B, N]."""
    return (room.kind == tables.number_of(NITROGEN)) & (room.used == FIVE)


def came_last(states: Graph, room: Room, tables: AtomTables) -> Tensor:
    """Which leaves gave their neighbour five bonds, or have another neighbour, bool [B, N].

    Other leaves at a nitrogen with five bonds cannot have come last.
    """
    is_five = has_five_bonds(room, tables)
    order = states.edge.amax(dim=2)
    beside_five = (states.edge.bool() & is_five[:, None, :]).any(dim=2)
    nitrogen, oxygen = tables.number_of(NITROGEN), tables.number_of(OXYGEN)
    is_oxygen = (room.kind == oxygen) & (oxygen > 0) & (order == DOUBLE)
    is_nitrogen = (room.kind == nitrogen) & (order == TRIPLE)
    return ~beside_five | is_oxygen | is_nitrogen


def _has_bond(states: Graph, is_meant: Tensor, order: int) -> Tensor:
    """Whether each atom has a bond of this order to one that is meant, bool [B, N]."""
    return ((states.edge == order) & is_meant[:, None, :]).any(dim=2)
