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


@dataclass(frozen=True)
class BitLists:
    """Which bits are set in each of N rows, such as fingerprints."""

    bit: Tensor
    """int16 [total], of all rows one behind the other."""
    end: Tensor
    """int64 [N + 1], 0 and where each list ends."""
    width: int
    """Bits of a row."""
    place: Tensor | None = None
    """int64 [N], which list each row has; None where they are in the same order."""


@dataclass(frozen=True)
class SynthesisObservation:
    """B states of a synthesis. Numbers of molecules are the environment's; 0 is none."""

    molecule: Tensor
    """int64 [M], the different molecules."""
    place: Tensor
    """int64 [B], which of them each state has."""
    depth: Tensor
    """int64 [B], reactions done."""
    role: Tensor
    """int64 [B], 1 + the role that was chosen; 0 for none."""
    block: Tensor
    """int64 [B], number of the block that was chosen, from 1; 0 for none."""
    takes_block: Tensor
    """bool [B], whether a block is chosen next, else anything else."""
    choices: Tensor
    """bool [B1, first_block], legal actions of the states that choose no block."""
    offer: Tensor
    """int64 [B2], number of the set of legal blocks of each of the others."""


@dataclass(frozen=True)
class Arrivals:
    """The W reactions in all by which the molecules of some states can have come."""

    row: Tensor
    """int64 [W], which state; ascending."""
    action: Tensor
    """int64 [W], the backward action that takes the reaction back."""
    molecule: Tensor
    """int64 [W], number of the molecule that was there before."""
    role: Tensor
    """int64 [W], the role in which it reacted, from 0."""
    block: Tensor
    """int64 [W], number of the block that it reacted with, from 1; 0 for none."""
    log_price: Tensor
    """float [W, 2], of the molecule, if it is a block that was started from, and of the block: log of the
    price over the geometric mean of all prices; 0 for none and unknown ones."""


@dataclass(frozen=True)
class Overlaps:
    """How much of the fingerprints of blocks is in molecules: first all of the first row."""

    row: Tensor
    """int64 [total], which molecule."""
    block: Tensor
    """int64 [total], number of the block, from 1."""
    shared: Tensor
    """float [total, 2], bits of the block that the molecule has, and that it has not."""


class SynthesisEnvironment(Environment[S], Protocol[S]):
    """An environment whose states are molecules under synthesis from N building blocks.

    Actions from `first_block` on are blocks.
    """

    n_blocks: int
    n_roles: int
    max_reactions: int
    first_block: int
    fingerprint_width: int
    sizes: GraphSizes
    records_parents: bool
    """Whether the number of a backward action is 3 + role * (1 + N) + block, and `back_mask` is not known."""

    def observe(self, states: S) -> SynthesisObservation:
        """What a network may see of the states."""
        ...

    def fingerprints(self, molecules: Tensor) -> Tensor:
        """Molecules int64 [M] by number as vectors, float [M, fingerprint_width]."""
        ...

    def graphs(self, molecules: Tensor) -> GraphObservation:
        """Molecules int64 [M] by number as graphs of atoms."""
        ...

    def offered(self, offer: int) -> Tensor:
        """The blocks of a set from 0, ascending, int64 [M]; set 1 + role holds all partners in a role."""
        ...

    def offer_masks(self, offers: Tensor) -> Tensor:
        """Sets int64 [M] as masks, bool [M, N]."""
        ...

    def block_clusters(self) -> Tensor:
        """The cluster of alike blocks that each block belongs to, from 0, int64 [N]."""
        ...

    def shared_bits(self, molecules: Tensor, blocks: Tensor) -> Tensor:
        """Bits that molecules int64 [M] and blocks int64 [M, L] from 0 share, and that only the blocks have,
        float [M, L, 2]."""
        ...

    def block_bits(self, order: Tensor | None = None) -> BitLists:
        """Fingerprints of the N blocks, listed in the order int64 [N], by default that of the blocks."""
        ...

    def arrivals(self, states: S) -> Arrivals:
        """The reactions that can have ended in the states, all of them; none of a state in which nothing has
        reacted yet, or something is being chosen."""
        ...

    def overlaps(self, molecules: Tensor, roles: Tensor) -> Overlaps:
        """Molecules int64 [M] and, for each, all blocks that can react with it in its role int64 [M]."""
        ...
