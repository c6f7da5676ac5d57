"""Molecules in space as two graphs on the same atoms: bonds with their angles, and pairs within a cutoff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fluvial.predictors.geometry import Geometry


@dataclass(frozen=True)
class AtomGraph:
    """N atoms of one molecule, or of B molecules one after the other. Arrows point from j to i."""

    kind: Tensor
    """int64 [N], place of the element in the declared list."""
    position: Tensor
    """[N, 3], Å."""
    molecule: Tensor
    """int64 [N]."""
    bond: Tensor
    """int64 [2, E]: j and i of each bond, in both directions."""
    near: Tensor
    """int64 [2, P]: j and i of each pair of different atoms within the cutoff, in both directions."""
    path: Tensor
    """int64 [2, Q]: bonds k to j and j to i with k other than i, as columns of `bond`."""
    fan: Tensor
    """int64 [2, R]: bonds j' to i and j to i with j' other than j, as columns of `bond`."""

    @property
    def count(self) -> int:
        """B, where every molecule has an atom."""
        return int(self.molecule[-1]) + 1 if len(self.molecule) else 0

    def to(self, device: torch.device | None = None, dtype: torch.dtype | None = None) -> AtomGraph:
        """The same on another device, its positions of another type."""
        moved = {field.name: getattr(self, field.name).to(device) for field in fields(self)}
        return AtomGraph(**(moved | {"position": moved["position"].to(dtype)}))


def graph_of(geometry: Geometry, elements: Sequence[int], cutoff: float) -> AtomGraph | str:
    """The graph of a molecule, or why there is none.

    Args:
        geometry: the molecule.
        elements: atomic numbers that are declared, in order.
        cutoff: Å.
    """
    place = {element: number for number, element in enumerate(elements)}
    atoms = list(geometry.mol.GetAtoms())
    strange = sorted({atom.GetSymbol() for atom in atoms if atom.GetAtomicNum() not in place})
    if strange:
        return f"element {strange[0]} is not among those of the model"
    ends = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in geometry.mol.GetBonds()]
    bond = np.array([*ends, *((j, i) for i, j in ends)], dtype=np.int64).reshape(-1, 2).T
    distance = np.linalg.norm(geometry.positions[:, None] - geometry.positions[None], axis=2)
    near = np.stack(np.nonzero((distance < cutoff) & ~np.eye(len(atoms), dtype=bool)))
    first, second = np.arange(bond.shape[1])[:, None], np.arange(bond.shape[1])[None]
    is_path = (bond[1][first] == bond[0][second]) & (bond[0][first] != bond[1][second])
    is_fan = (bond[1][first] == bond[1][second]) & (first != second)
    return AtomGraph(
        kind=torch.tensor([place[atom.GetAtomicNum()] for atom in atoms]),
        position=torch.from_numpy(geometry.positions).float(),
        molecule=torch.zeros(len(atoms), dtype=torch.int64),
        bond=torch.from_numpy(bond),
        near=torch.from_numpy(near),
        path=torch.from_numpy(_stacked(is_path)),
        fan=torch.from_numpy(_stacked(is_fan)),
    )


def _stacked(is_there: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.stack(np.nonzero(is_there)).astype(np.int64)


def pack_graphs(graphs: Sequence[AtomGraph]) -> AtomGraph:
    """Several molecules as one graph."""
    atoms = np.cumsum([0, *(len(graph.kind) for graph in graphs)]).tolist()
    bonds = np.cumsum([0, *(graph.bond.shape[1] for graph in graphs)]).tolist()

    def shifted(name: str, offsets: list[int]) -> Tensor:
        return torch.cat(
            [getattr(graph, name) + offset for graph, offset in zip(graphs, offsets, strict=False)], dim=1
        )

    return AtomGraph(
        kind=torch.cat([graph.kind for graph in graphs]),
        position=torch.cat([graph.position for graph in graphs]),
        molecule=torch.cat([graph.molecule + number for number, graph in enumerate(graphs)]),
        bond=shifted("bond", atoms),
        near=shifted("near", atoms),
        path=shifted("path", bonds),
        fan=shifted("fan", bonds),
    )
