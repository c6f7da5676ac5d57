"""The state of a molecule under synthesis, and how one came to be."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from torch import Tensor

from fluvial.core.batch import Batch


@dataclasses.dataclass(frozen=True)
class Synthesis(Batch):
    """Molecules between two reactions, or in the midst of choosing one."""

    molecule: Tensor
    """int64 [B], number of the molecule in the environment's table; 0 before the first block."""
    depth: Tensor
    """int64 [B], reactions done."""
    role: Tensor
    """int64 [B], 1 + the role in which the molecule is about to react; 0 where none was chosen."""
    block: Tensor
    """int64 [B], number of the block it is about to react with; 0 where none was chosen or needed."""
    is_done: Tensor
    """bool [B], the stop was taken."""


Row = tuple[int, int, int, int, bool]
"""A state: molecule, depth, role, block and whether it is done."""


def rows_of(states: Synthesis) -> list[Row]:
    """The states one by one."""
    columns = (column.tolist() for column in states.tensors())
    return list(zip(*columns, strict=True))


@dataclass(frozen=True)
class Arrival:
    """One way in which a molecule is the product of a reaction."""

    molecule: int
    """The reactant that was there before."""
    role: int
    """In which role it reacted, from 0."""
    block: int
    """The building block that it reacted with; 0 for a one-reactant template."""
    product: int
    """Place among the products of this reaction, from 0."""
    n_products: int
    """How many products this reaction has."""
