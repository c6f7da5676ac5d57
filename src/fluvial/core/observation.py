"""What environments show to networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from fluvial.core.environment import ActionFamily, Environment, S


@dataclass(frozen=True)
class GraphObservation:
    """Padded graphs of at most N nodes and one virtual node, which is the last of the N + 1 tokens.

    Categories count from 1; 0 always means "nothing here". E bonds are listed in both directions.
    """

    node: Tensor
    """int64 [B, N, Kn]; a node exists where the first category is not 0."""
    graph: Tensor
    """int64 [B, Kg], categories of the whole graph."""
    pair: Tensor
    """int64 [B, N + 1, N + 1, Kp], how token j looks from token i."""
    focus: Tensor
    """int64 [B], the token that a half-made choice is about; N (the virtual node) where there is none."""
    candidate: Tensor
    """int64 [B, N, S], category of each node's own options (attachment points); 0 where there is none."""
    bond: Tensor
    """int64 [E, 3], row, node i and token j of each bond."""
    relation: Tensor
    """int64 [E, S], category of option s of node i as seen from j; 0 where there is no such option."""


@dataclass(frozen=True)
class GraphSizes:
    """Numbers of categories of each part of a `GraphObservation`, the 0 included."""

    node: tuple[int, ...]
    graph: tuple[int, ...]
    pair: tuple[int, ...]
    candidate: int
    relation: int


class GraphEnvironment(Environment[S], Protocol[S]):
    """An environment whose states are graphs."""

    sizes: GraphSizes
    families: tuple[ActionFamily, ...]
    back_families: tuple[ActionFamily, ...]

    def observe(self, states: S) -> GraphObservation:
        """What a network may see of the states."""
        ...


class VectorEnvironment(Environment[S], Protocol[S]):
    """An environment whose states are fixed-size vectors."""

    observation_width: int

    def observe(self, states: S) -> Tensor:
        """float [B, W]."""
        ...
