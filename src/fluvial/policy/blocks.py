"""How one of many building blocks is chosen: all side by side, or first a cluster of alike ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from fluvial.core.categorical import Distribution, MaskedCategorical
from fluvial.core.clustered import ClusteredCategorical, Members
from fluvial.core.observation import BitLists, SynthesisEnvironment
from fluvial.nets.bits import BitEmbedding
from fluvial.policy.offered import OfferedClusters

MANY_BLOCKS = 20_000
"""From so many on, a block is chosen in two steps: measured, see the page on performance."""
BLOCK_WIDTH = 64
"""Length of a block's vector; as many as the prototype's. Arbitrary."""


class BlockChoice(Protocol):
    """Distributions over blocks from queries, without weights of its own."""

    n_queries: int
    """Vectors that a state asks with."""

    def block_bits(self) -> BitLists:
        """Fingerprints of the N blocks, in the order that suits best."""
        ...

    def __call__(self, embedding: BitEmbedding, queries: Tensor, offers: Tensor) -> Distribution:
        """Over the N blocks in U states.

        Args:
            embedding: of the blocks.
            queries: float [U, n_queries * BLOCK_WIDTH].
            offers: int64 [U], numbers of the sets of legal blocks.
        """
        ...

    def log_partner(self, molecules: Tensor, roles: Tensor, blocks: Tensor, weights: Tensor) -> Tensor:
        """Log probability, float [M], that of all partners it was these blocks that molecules were made with.

        A block is the likelier the more of its bits the molecule has too.

        Args:
            molecules: int64 [M], numbers.
            roles: int64 [M].
            blocks: int64 [M], from 0.
            weights: float [M, n_queries * 2], of bits that are shared and of bits that are missing.
        """
        ...


class AllBlocks(nn.Module):
    """One softmax over all legal blocks."""

    n_queries = 1

    def __init__(self, env: SynthesisEnvironment[Any]) -> None:
        super().__init__()
        self.env: SynthesisEnvironment[Any] = env

    def block_bits(self) -> BitLists:
        """Fingerprints of the N blocks."""
        return self.env.block_bits()

    def forward(self, embedding: BitEmbedding, queries: Tensor, offers: Tensor) -> Distribution:
        """Over the N blocks in U states."""
        logits = queries @ embedding().T / math.sqrt(BLOCK_WIDTH)
        return MaskedCategorical(logits, self.env.offer_masks(offers))

    def log_partner(self, molecules: Tensor, roles: Tensor, blocks: Tensor, weights: Tensor) -> Tensor:
        """Log probability float [M] that it was these blocks of all partners."""
        overlaps = self.env.overlaps(molecules, roles)
        logits = (overlaps.shared * weights[overlaps.row]).sum(dim=1)
        n_rows = len(molecules)
        highest = logits.new_full((n_rows,), -torch.inf)
        highest = highest.scatter_reduce(0, overlaps.row, logits.detach(), "amax")
        total = logits.new_zeros(n_rows).index_add(0, overlaps.row, (logits - highest[overlaps.row]).exp())
        chosen: Tensor = logits[(overlaps.block == 1 + blocks[overlaps.row]).nonzero().squeeze(1)]
        return chosen - highest - total.log()


class ClusteredBlocks(nn.Module):
    """A softmax over about the square root of N clusters that have a legal block, then one over the legal
    blocks of the cluster. So no table of states times blocks is made, and few blocks are embedded.

    A cluster is seen by the mean of its fingerprints. Its logit has the log of its number of legal blocks
    added, so that equal products mean equal probabilities of blocks.
    """

    n_queries = 2

    def __init__(self, env: SynthesisEnvironment[Any]) -> None:
        super().__init__()
        self.env: SynthesisEnvironment[Any] = env
        self.clusters = OfferedClusters(env)

    def block_bits(self) -> BitLists:
        """Fingerprints of the N blocks, those of a cluster side by side."""
        return self.env.block_bits(self.clusters.get_buffer("cluster").argsort(stable=True))

    def forward(self, embedding: BitEmbedding, queries: Tensor, offers: Tensor) -> Distribution:
        """Over the N blocks in U states."""
        of_cluster, of_block = (queries / math.sqrt(BLOCK_WIDTH)).chunk(2, dim=1)
        sizes = self.clusters.sizes(offers)
        logits = of_cluster @ embedding.of_shares(self.clusters.get_buffer("shares")).T

        def within(rows: Tensor, clusters: Tensor) -> Members:
            block, is_there = self.clusters.members(offers[rows], clusters)
            pair, place = is_there.nonzero(as_tuple=True)
            products = embedding.products(of_block[rows], is_there.sum(dim=1), block[pair, place])
            table = products.new_zeros(block.shape).index_put((pair, place), products)
            return Members(block, MaskedCategorical(table, is_there))

        prior = sizes.clamp_min(1).to(logits).log()
        return ClusteredCategorical(logits + prior, sizes, within, self.clusters.get_buffer("cluster"))

    def log_partner(self, molecules: Tensor, roles: Tensor, blocks: Tensor, weights: Tensor) -> Tensor:
        """Log probability float [M] that it was these blocks of all partners."""
        of_cluster, of_block = weights.chunk(2, dim=1)
        sizes, shares = self.clusters.sizes(1 + roles), self.clusters.get_buffer("shares")
        shared = self.env.fingerprints(molecules) @ shares.T
        both = torch.stack([shared, shares.sum(dim=1) - shared], dim=2)
        logits = (both @ of_cluster[:, :, None]).squeeze(2) + sizes.clamp_min(1).to(shared).log()

        def within(rows: Tensor, clusters: Tensor) -> Members:
            block, is_there = self.clusters.members(1 + roles[rows], clusters)
            table = (self.env.shared_bits(molecules[rows], block) @ of_block[rows][:, :, None]).squeeze(2)
            return Members(block, MaskedCategorical(table, is_there))

        cluster = self.clusters.get_buffer("cluster")
        return ClusteredCategorical(logits, sizes, within, cluster).log_prob(blocks)


def block_choice(env: SynthesisEnvironment[Any], name: str | None) -> AllBlocks | ClusteredBlocks:
    """The choice of a name in `BLOCK_CHOICES`, or by the number of blocks."""
    return BLOCK_CHOICES[usual_choice(env.n_blocks) if name is None else name](env)


def usual_choice(n_blocks: int) -> str:
    """Which choice suits so many blocks, a name in `BLOCK_CHOICES`."""
    return "clusters" if n_blocks > MANY_BLOCKS else "all"


BLOCK_CHOICES: dict[str, Callable[[SynthesisEnvironment[Any]], AllBlocks | ClusteredBlocks]] = {
    "all": AllBlocks,
    "clusters": ClusteredBlocks,
}
