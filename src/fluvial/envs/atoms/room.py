"""How many bonds atoms have left."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fluvial.envs.atoms.rules import AtomRules
from fluvial.envs.atoms.tables import AtomTables, bonds_used
from fluvial.envs.graphs.state import Graph

OXYGEN, NITROGEN, PHOSPHORUS, IODINE, CARBON = "O", "N", "P", "I", "C"
_DOUBLE = 2


@dataclass(frozen=True)
class Room:
    """Valences of the atoms of B molecules."""

    kind: Tensor
    """int64 [B, N]."""
    used: Tensor
    """int64 [B, N], bonds by their orders, and hydrogens written at the atom."""
    free: Tensor
    """int64 [B, N], bonds that its charge leaves it; 0 where there is no atom."""
    highest: Tensor
    """int64 [B, N], highest order of a new bond. It is also within what the element bonds without a charge,
    so that an atom with one bond can always lose its charge, and then the bond."""
    n_atoms: Tensor
    """int64 [B]."""
    n_free: Tensor
    """int64 [B], sum of `free`."""
    grows: Tensor
    """bool [B], not finished, and without stereo marks, which come last."""


def room_of(states: Graph, rules: AtomRules, tables: AtomTables) -> Room:
    """What is left of the valences."""
    kind, charge = tables.kinds(states), tables.chosen(states, "charge")
    neutral = tables.neutral[kind]
    most = neutral if charge is None else tables.most[kind, charge]
    used = bonds_used(states)
    if "hydrogens" in tables.columns:
        used = used + tables.meaning(states, "hydrogens")
    # An open wildcard has bonds, and none to give.
    free = (most - used).clamp_min(0)
    return Room(
        kind,
        used,
        free,
        torch.minimum(free, neutral),
        states.n_nodes,
        free.sum(dim=1),
        ~states.is_done & ~has_turn(states, tables),
    )


def has_turn(states: Graph, tables: AtomTables) -> Tensor:
    """Whether a stereo mark was set, bool [B]."""
    column = tables.columns.get("turn")
    if column is None:
        return torch.zeros_like(states.is_done)
    return states.node_attribute[:, :, column].bool().any(dim=1)


def no_double(states: Graph, kind: Tensor, tables: AtomTables) -> Tensor | None:
    """Which kinds may not come by a double bond to each atom, bool [B, N, K]; None where all may.

    RDKit rewrites P(=O)=C as [P+]([O-])=C, and so P(=O)=N, and iodine that is bonded to oxygen alone, which
    would make two states one molecule. So phosphorus has a double bond to oxygen, or to carbon or nitrogen,
    but not both, and iodine has none to oxygen.
    """
    oxygen, phosphorus, iodine = map(tables.number_of, (OXYGEN, PHOSPHORUS, IODINE))
    organic = [number for number in map(tables.number_of, (CARBON, NITROGEN)) if number]
    if not oxygen or not (iodine or phosphorus):
        return None
    banned = torch.zeros((*kind.shape, len(tables.neutral)), dtype=torch.bool, device=kind.device)
    if iodine:
        banned[:, :, oxygen] |= kind == iodine
        banned[:, :, iodine] |= kind == oxygen
    if phosphorus and organic:
        row, atom = (kind == phosphorus).nonzero(as_tuple=True)
        partner = kind[row] * (states.edge[row, atom] == _DOUBLE)
        has_oxygen = (partner == oxygen).any(dim=1)
        has_organic = torch.stack([partner == number for number in organic]).any(dim=0).any(dim=1)
        banned[row, atom, oxygen] |= has_organic
        for number in organic:
            banned[row, atom, number] |= has_oxygen
    return banned
