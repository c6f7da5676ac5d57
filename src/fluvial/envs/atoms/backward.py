"""Which backward actions are legal."""

from __future__ import annotations

import torch
from torch import Tensor

from fluvial.envs.atoms.forward import Space
from fluvial.envs.atoms.nitrogen import came_last, has_five_bonds
from fluvial.envs.atoms.rings import opens_well
from fluvial.envs.atoms.room import Room, room_of
from fluvial.envs.atoms.rules import HYDROGEN_SLOTS
from fluvial.envs.graphs.bridges import is_bridge
from fluvial.envs.graphs.legal import pairs_of, part_of
from fluvial.envs.graphs.state import Graph


def shrink_mask(states: Graph, space: Space) -> Tensor:
    """Legal backward actions, bool [B, A']: the inverses of the forward actions that can have come last."""
    rules, numbering = space.rules, space.numbering
    room = room_of(states, rules, space.tables)
    mask = torch.zeros((len(states), numbering.n_back_actions), dtype=torch.bool, device=states.device)
    mask[:, 0] = states.is_done
    part_of(mask, numbering, "remove_node")[:, :, 0] = _removable(states, room, space)
    if "remove_edge" in numbering.start:
        loose = _loose(states, room, space) & room.grows[:, None, None]
        part_of(mask, numbering, "remove_edge")[:, :, 0] = pairs_of(loose, numbering)
    if "unset_node" in numbering.start:
        parts = [_unsettable(name, states, room, space) for name in space.tables.columns]
        part_of(mask, numbering, "unset_node").copy_(torch.stack(parts, dim=2))
    return mask


def _removable(states: Graph, room: Room, space: Space) -> Tensor:
    """Leaves without attributes that are not of the scaffold, bool [B, N]."""
    degree = states.edge.bool().sum(dim=2, dtype=torch.int32)
    is_plain = states.exists & ~states.node_attribute.bool().any(dim=2)
    is_last = (degree == 1) | (room.n_atoms == 1)[:, None]
    removable = is_plain & is_last & room.grows[:, None] & ~space.tables.initial.exists
    if space.rules.five_valent_nitrogen:
        removable &= came_last(states, room, space.tables)
    columns = [number for name, number in space.tables.columns.items() if name in HYDROGEN_SLOTS]
    if columns and not space.rules.grows_surely:
        is_own = space.tables.initial.node_attribute[:, :, columns].bool()
        is_set = (states.node_attribute[:, :, columns].bool() & ~is_own).any(dim=2).any(dim=1)
        removable &= ((room.n_atoms > space.rules.min_atoms) | ~is_set)[:, None]
    return removable


def _loose(states: Graph, room: Room, space: Space) -> Tensor:
    """Bonds that closed a ring and are not of the scaffold, bool [B, N, N]."""
    if space.rules.max_ring_size is None:
        loose = states.edge.bool() & ~is_bridge(states, False)
    else:
        loose = opens_well(states, space.rules.max_ring_size)
    loose = loose & ~space.tables.initial.edge.bool()
    if space.rules.five_valent_nitrogen:
        closed = has_five_bonds(room, space.tables)
        loose &= ~(closed[:, :, None] | closed[:, None, :])
    return loose


def _unsettable(name: str, states: Graph, room: Room, space: Space) -> Tensor:
    """Where an attribute may go back to its default, bool [B, N]."""
    tables, rules = space.tables, space.rules
    column = tables.columns[name]
    chosen = states.node_attribute[:, :, column]
    is_own = tables.initial.node_attribute[:, :, column].bool()
    if name == "turn":
        return chosen.bool() & ~states.is_done[:, None]
    is_set = chosen.bool() & room.grows[:, None] & ~is_own
    if name == "fill":
        others = [number for number in range(len(tables.columns)) if number != column]
        is_bare = ~states.node_attribute[:, :, others].bool().any(dim=2)
        return is_set & is_bare & (room.used == tables.initial.edge.sum(dim=2, dtype=torch.int32))
    if name == "hydrogens" and rules.five_valent_nitrogen:
        is_set &= ~has_five_bonds(room, tables)
    if name == "charge":
        left = tables.neutral[room.kind] - room.used
        is_set &= left >= 0
        if rules.grows_surely and rules.min_atoms > 1:
            n_free = room.n_free[:, None] - room.free + left
            is_set &= (n_free > 0) | (room.n_atoms >= rules.min_atoms)[:, None]
    return is_set
