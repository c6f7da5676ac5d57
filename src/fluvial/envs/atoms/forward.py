"""Which forward actions are legal."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fluvial.envs.atoms.nitrogen import nitrogen_rooms
from fluvial.envs.atoms.rings import closes_a_ring
from fluvial.envs.atoms.room import Room, no_double, room_of
from fluvial.envs.atoms.rules import HYDROGEN_SLOTS, AtomRules
from fluvial.envs.atoms.tables import AtomTables
from fluvial.envs.graphs.actions import Numbering
from fluvial.envs.graphs.legal import pairs_of, part_of
from fluvial.envs.graphs.state import Graph

_DOUBLE, _MORE_THAN_ANY = 2, 16
"""An order, and more bonds than an atom has."""


@dataclass(frozen=True)
class Space:
    """What does not change while molecules are built: the rules, their tables and the numbers of actions."""

    rules: AtomRules
    tables: AtomTables
    numbering: Numbering


def growth_mask(states: Graph, space: Space) -> Tensor:
    """Legal actions, bool [B, A], but for the stop and for stereo marks, whose columns are False.

    An action is legal if what it makes keeps every rule. For environments that grow surely this includes that
    a molecule smaller than `min_atoms` has a bond left, which each molecule has, too, from which something
    was taken away; so each backward action leads to a molecule that can be built.
    """
    rules, numbering = space.rules, space.numbering
    room = room_of(states, rules, space.tables)
    n_bonds_left = _bonds_left(states, room, rules)
    mask = torch.zeros((len(states), numbering.n_actions), dtype=torch.bool, device=states.device)
    banned = no_double(states, room.kind, space.tables) if len(rules.bond_orders) > 1 else None
    part_of(mask, numbering, "node")[:, 0] = (room.grows & (room.n_atoms == 0))[:, None]
    _allow_attaching(part_of(mask, numbering, "attach"), states, room, n_bonds_left, banned, space)
    if "edge" in numbering.start:
        _allow_rings(part_of(mask, numbering, "edge"), states, room, n_bonds_left, banned, space)
    if "set_node" in numbering.start:
        parts = [_settable(name, states, room, space) for name in space.tables.columns]
        part_of(mask, numbering, "set_node").copy_(torch.cat(parts, dim=2))
    return mask


def _bonds_left(states: Graph, room: Room, rules: AtomRules) -> Tensor | None:
    """Bonds that may still come besides those that missing atoms need, int64 [B]; None without a limit."""
    if rules.max_bonds is None:
        return None
    n_bonds = states.edge.bool().sum(dim=(1, 2)) // 2
    missing = (rules.min_atoms - room.n_atoms).clamp_min(0) * rules.grows_surely
    return rules.max_bonds - n_bonds - missing


def _allow_attaching(
    legal: Tensor,
    states: Graph,
    room: Room,
    n_bonds_left: Tensor | None,
    banned: Tensor | None,
    space: Space,
) -> None:
    """Fill in where atoms may be attached, bool [B, N, orders * elements]."""
    rules, tables = space.rules, space.tables
    n_orders, n_elements = len(rules.bond_orders), len(rules.elements)
    orders = torch.arange(1, n_orders + 1, device=states.device)
    neutral = tables.neutral[1 : n_elements + 1]
    can_grow = room.grows & (room.n_atoms > 0) & (room.n_atoms < rules.max_atoms)
    if n_bonds_left is not None:
        is_large = room.n_atoms >= rules.min_atoms if rules.grows_surely else torch.ones_like(can_grow)
        can_grow &= n_bonds_left >= is_large.long()
    way = (orders[:, None] <= neutral) & can_grow[:, None, None]
    if rules.grows_surely and rules.min_atoms > 1:
        keeps_room = room.n_free[:, None, None] - 2 * orders[:, None] + neutral > 0
        way &= keeps_room | (room.n_atoms + 1 >= rules.min_atoms)[:, None, None]
    fits = room.highest[:, :, None] >= orders
    cells = legal.view(*legal.shape[:2], n_orders, n_elements)
    torch.logical_and(fits[:, :, :, None], way[:, None], out=cells)
    if banned is not None:
        cells[:, :, 1] &= ~banned[:, :, 1 : n_elements + 1]
    if rules.five_valent_nitrogen:
        for number, order, where in nitrogen_rooms(states, room, tables):
            if order <= n_orders:
                cells[:, :, order - 1, number - 1] |= where & can_grow[:, None]


def _allow_rings(
    legal: Tensor,
    states: Graph,
    room: Room,
    n_bonds_left: Tensor | None,
    banned: Tensor | None,
    space: Space,
) -> None:
    """Fill in where bonds may close rings, bool [B, P, orders]."""
    rules, numbering = space.rules, space.numbering
    highest = room.highest * room.grows[:, None]
    if n_bonds_left is not None:
        highest = highest * (n_bonds_left > 0)[:, None]
    if rules.grows_surely and rules.min_atoms > 1:
        spare = torch.where(room.n_atoms < rules.min_atoms, (room.n_free - 1) // 2, len(rules.bond_orders))
        highest = torch.minimum(highest, spare[:, None])
    highest = highest.to(torch.int8)
    both = torch.minimum(highest[:, :, None], highest[:, None, :])
    allowed = closes_a_ring(states, rules)
    both = both - states.edge * _MORE_THAN_ANY if allowed is None else both * allowed
    order = pairs_of(both, numbering)
    for number in rules.bond_orders:
        torch.ge(order, number, out=legal[:, :, number - 1])
    if banned is not None:
        index = room.kind[:, None, :].expand(-1, room.kind.shape[1], -1)
        one_way = banned.gather(2, index)
        legal[:, :, 1] &= ~pairs_of(one_way | one_way.transpose(1, 2), numbering)


def _settable(name: str, states: Graph, room: Room, space: Space) -> Tensor:
    """Which values an attribute may be given, bool [B, N, values]; no stereo marks."""
    tables, rules = space.tables, space.rules
    chosen, values = states.node_attribute[:, :, tables.columns[name]], tables.values[name][1:]
    if name == "turn":
        return torch.zeros((*chosen.shape, len(values)), dtype=torch.bool, device=states.device)
    is_open = states.exists & room.grows[:, None] & (chosen == 0)
    if name == "fill":
        return is_open[:, :, None] & _fits_wildcard(states, room, space)
    is_open = (is_open & (room.kind != tables.wildcard))[:, :, None]
    if name in HYDROGEN_SLOTS and not rules.grows_surely:
        is_open = is_open & (room.n_atoms >= rules.min_atoms)[:, None, None]
    if name == "no_implicit":
        return is_open
    left = room.free[:, :, None] - values
    if name == "charge":
        left = tables.most[room.kind][:, :, 1:] - room.used[:, :, None]
    if rules.grows_surely and rules.min_atoms > 1:
        n_free = (room.n_free[:, None] - room.free)[:, :, None] + left
        is_open = is_open & ((n_free > 0) | (room.n_atoms >= rules.min_atoms)[:, None, None])
    return is_open & (left >= 0)


def _fits_wildcard(states: Graph, room: Room, space: Space) -> Tensor:
    """Which elements an open wildcard may become, bool [B, N, E]."""
    tables = space.tables
    is_wildcard = room.kind == tables.wildcard
    n_elements = tables.n_elements
    fits = room.used[:, :, None] <= tables.neutral[1 : n_elements + 1]
    single_only = [number <= n_elements and number for number in tables.choosy]
    has_double = (states.edge == _DOUBLE).any(dim=2)
    for number in filter(None, single_only):
        fits[:, :, number - 1] &= ~has_double
    return fits & is_wildcard[:, :, None]
