"""Stereocentres: atoms whose neighbours all differ, so that they can go round it in two ways.

Marks come last: once there is one, nothing but marks and the stop is left, so a mark never loses its meaning.
It says how the neighbours, in the order of their colours, go round the centre. Colours depend on the molecule
without marks alone, so centres that differ only by the marks of others have none; RDKit may give them one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from fluvial.envs.atoms.identity import molecules_of
from fluvial.envs.atoms.reader import Reader
from fluvial.envs.atoms.tables import AtomTables, bonds_used
from fluvial.envs.graphs.refine import first_colours, links_of, refined_nodes
from fluvial.envs.graphs.state import Graph

_PYRAMIDS = (("P", 0, 3), ("As", 0, 3), ("S", 0, 4), ("Se", 0, 4), ("S", 1, 3), ("Se", 1, 3))
"""Element, charge and bonds of atoms with three neighbours that keep their form."""
_FOUR, _THREE = 4, 3


@dataclass(frozen=True)
class Centres:
    """Stereocentres of B molecules."""

    is_centre: Tensor
    """bool [B, N], marked or not."""
    rank: Tensor
    """int64 [B, N, N], for a centre i and its neighbour j the place of j, from 1; 0 where there is none."""


def find_centres(states: Graph, reader: Reader) -> Centres:
    """The atoms that can have a stereo mark, and the order of their neighbours."""
    tables = reader.tables
    column = tables.columns["turn"]
    attributes = states.node_attribute.clone()
    attributes[:, :, column] = 0
    plain, _ = molecules_of(replace(states, node_attribute=attributes), reader)
    plain = replace(plain, node_attribute=plain.node_attribute[:, :, 1:2])
    colour, _ = refined_nodes(first_colours(plain), links_of(plain))
    near = states.edge.bool()
    is_lower = (colour[:, None, :] < colour[:, :, None]).float()
    is_equal = (colour[:, None, :] == colour[:, :, None]).float()
    rank = ((near.float() @ is_lower.transpose(1, 2)).long() + 1) * near
    n_alike = ((near.float() @ is_equal) * near).sum(dim=2)
    degree = near.sum(dim=2)
    is_centre = _has_form(states, degree, tables) & (n_alike == degree)
    return Centres(is_centre, rank * is_centre[:, :, None])


def _has_form(states: Graph, degree: Tensor, tables: AtomTables) -> Tensor:
    """Whether neighbours have fixed places round an atom, bool [B, N]: four of them, of which one may be a
    hydrogen, or three at the tip of a pyramid."""
    n_hydrogens = tables.hydrogens(states)
    has_form = (degree + n_hydrogens == _FOUR) & (n_hydrogens <= 1)
    kind, charge, n_bonds = tables.kinds(states), tables.meaning(states, "charge"), bonds_used(states)
    for symbol, own_charge, own_bonds in _PYRAMIDS:
        is_meant = (kind == tables.number_of(symbol)) & (charge == own_charge) & (n_bonds == own_bonds)
        has_form |= is_meant & (kind > 0) & (degree == _THREE) & (n_hydrogens == 0)
    return has_form & states.exists
