"""What a network sees of a molecule: nothing that depends on the numbering of its atoms."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from fluvial.core.observation import GraphObservation, GraphSizes
from fluvial.envs.atoms.forward import Space
from fluvial.envs.atoms.room import room_of
from fluvial.envs.atoms.stereo import Centres
from fluvial.envs.graphs.bridges import is_bridge
from fluvial.envs.graphs.state import Graph

FAR = 8
"""Distances, in bonds, from here on look the same: more than across the rings that drugs have; arbitrary."""
LEVELS = 16
"""Chances that a random walk comes back are seen in so many equal steps; arbitrary."""
_MOST_BONDS_SEEN, _MOST_RANKS, _MOST_ORDERS = 128, 4, 3


def observation_sizes(space: Space) -> GraphSizes:
    """Numbers of categories of what `observe_atoms` gives."""
    rules, tables = space.rules, space.tables
    n_bonds = int(tables.most.max()) + 1
    attributes = (len(values) + 1 for values in rules.slots.values())
    has_scaffold = rules.scaffold is not None
    return GraphSizes(
        node=(
            *(len(tables.symbols) + 1, *attributes, n_bonds, n_bonds, 2),
            *((LEVELS + 1,) * max(rules.random_walk - 1, 0)),
            *((2,) * has_scaffold),
        ),
        graph=(rules.max_atoms + 1, _MOST_BONDS_SEEN + 1),
        pair=(_MOST_ORDERS + 1, 2, FAR + 1, *((2,) * has_scaffold), *((_MOST_RANKS + 1,) * rules.chirality)),
        candidate=1,
        relation=1,
    )


def observe_atoms(states: Graph, space: Space, centres: Centres | None) -> GraphObservation:
    """Categories of atoms, of the molecule, and of pairs of atoms.

    Atoms: element, attributes, bonds left, number of neighbours, whether they are in a ring, chances that
    random walks come back; molecules: numbers of atoms and bonds; pairs: order of the bond, whether it is in
    a ring, and distance. With a scaffold also what is its own, and with `centres` the order of the neighbours
    of each stereocentre.
    """
    n_rows, n_atoms = states.node.shape
    room, linked = room_of(states, space.rules, space.tables), states.edge.bool()
    in_ring = linked & ~is_bridge(states, False)
    atoms = [room.kind[..., None], states.node_attribute.long()]
    atoms += [part.long()[..., None] for part in (room.free, linked.sum(dim=2), in_ring.any(dim=2))]
    atoms += [_returns(linked, space.rules.random_walk)]
    pairs = [states.edge, in_ring, _distance(linked, states.exists)]
    if space.rules.scaffold is not None:
        initial = space.tables.initial
        atoms.append(initial.exists.expand(n_rows, -1).long()[..., None])
        pairs.append(initial.edge.bool().expand(n_rows, -1, -1))
    if centres is not None:
        pairs.append(centres.rank)
    bond = linked.nonzero()
    nothing = torch.zeros((), dtype=torch.int64, device=states.device)
    n_bonds = (linked.sum(dim=(1, 2)) // 2).clamp_max(_MOST_BONDS_SEEN)
    return GraphObservation(
        node=torch.cat(atoms, dim=2),
        graph=torch.stack([room.n_atoms, n_bonds], dim=1),
        pair=pad(torch.stack([part.long() for part in pairs], dim=3), (0, 0, 0, 1, 0, 1)),
        focus=torch.full_like(room.n_atoms, n_atoms),
        candidate=nothing.expand(n_rows, n_atoms, 0),
        bond=bond,
        relation=nothing.expand(len(bond), 0),
    )


def _returns(linked: Tensor, n_steps: int) -> Tensor:
    """Chance that a random walk of 2 to `n_steps` steps along bonds ends where it began, as a level, int64
    [B, N, max(n_steps - 1, 0)] (Dwivedi et al. 2022, arXiv:2110.07875)."""
    step = linked.double() / linked.sum(dim=2, keepdim=True).clamp_min(1)
    walk, chances = step, [step.new_zeros((*linked.shape[:2], 0))]
    for _ in range(n_steps - 1):
        walk = walk @ step
        chances.append(walk.diagonal(dim1=1, dim2=2)[..., None])
    # Rounding must not tell equivalent atoms apart whose chance is just at a step.
    return (torch.cat(chances, dim=2) * LEVELS + 1e-6).long()


def _distance(linked: Tensor, exists: Tensor) -> Tensor:
    """Bonds between two different atoms, at most `FAR`, int64 [B, N, N]; 0 elsewhere."""
    different = ~torch.eye(linked.shape[1], dtype=torch.bool, device=linked.device)
    both = exists[:, :, None] & exists[:, None, :] & different
    step = (linked | ~different).float()
    reached, distance = linked, torch.full(linked.shape, FAR, device=linked.device)
    for _ in range(FAR - 1):
        distance = distance - reached.long()
        reached = (reached.float() @ step).bool()
    return distance * both
