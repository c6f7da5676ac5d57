"""How one of many building blocks is chosen: all side by side, or first a cluster of alike ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from fluvial.core.categorical import Distribution, MaskedCategorical
from fluvial.core.clustered import ClusteredCategorical, Members
from fluvial.core.observation import BitLists, SynthesisEnvironment
from fluvial.nets.bits import BitEmbedding
from fluvial.policy.offered import OfferedClusters

MANY_BLOCKS = 5_000
"""From so many on, a block is chosen in two steps: measured, see the page on performance."""
BLOCK_WIDTH = 64
"""Length of a block's vector; arbitrary."""


@dataclass(frozen=True)
class Partners:
    """M questions for the block that a molecule was made with.

    A block is the likelier the more of its bits the molecule has too, and by a product as in the choice of
    blocks: bits alone do not tell apart blocks that the molecule has both of.
    """

    molecules: Tensor
    """int64 [M], numbers."""
    roles: Tensor
    """int64 [M]."""
    weights: Tensor
    """float [M, n_queries * 2], of bits that are shared and of bits that are missing."""
    queries: Tensor
    """float [M, n_queries * BLOCK_WIDTH]."""


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

    def log_partner(self, embedding: BitEmbedding, partners: Partners, blocks: Tensor) -> Tensor:
        """Log probability, float [M], that of all partners it was these blocks that molecules were made with.

        Args:
            embedding: of the blocks; it does not learn from this.
            partners: what is asked.
            blocks: int64 [M], from 0.
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

    def log_partner(self, embedding: BitEmbedding, partners: Partners, blocks: Tensor) -> Tensor:
        """Log probability float [M] that it was these blocks of all partners."""
        overlaps = self.env.overlaps(partners.molecules, partners.roles)
        with torch.no_grad():
            vectors = embedding().T / math.sqrt(BLOCK_WIDTH)
        products = (partners.queries @ vectors).reshape(-1)
        place = overlaps.row * vectors.shape[1] + overlaps.block - 1
        logits = (overlaps.shared * partners.weights[overlaps.row]).sum(dim=1)
        logits = logits + products.index_select(0, place)
        n_rows = len(blocks)
        highest = logits.new_full((n_rows,), -torch.inf)
        highest = highest.scatter_reduce(0, overlaps.row, logits.detach(), "amax")
        total = logits.new_zeros(n_rows).index_add(0, overlaps.row, (logits - highest[overlaps.row]).exp())
        chosen = logits[(overlaps.block == 1 + blocks[overlaps.row]).nonzero().squeeze(1)]
        found: Tensor = chosen - highest - total.log()
        return found


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
            table = embedding.table_of_products(of_block[rows], block, is_there)
            return Members(block, MaskedCategorical(table, is_there))

        prior = sizes.clamp_min(1).to(logits).log()
        return ClusteredCategorical(logits + prior, sizes, within, self.clusters.get_buffer("cluster"))

    def log_partner(self, embedding: BitEmbedding, partners: Partners, blocks: Tensor) -> Tensor:
        """Log probability float [M] that it was these blocks of all partners."""
        of_cluster, of_block = partners.weights.chunk(2, dim=1)
        queries, own = (partners.queries / math.sqrt(BLOCK_WIDTH)).chunk(2, dim=1)
        sizes, shares = self.clusters.sizes(1 + partners.roles), self.clusters.get_buffer("shares")
        shared = self.env.fingerprints(partners.molecules) @ shares.T
        both = torch.stack([shared, shares.sum(dim=1) - shared], dim=2)
        with torch.no_grad():
            vectors = embedding.of_shares(shares).T
        logits = (both @ of_cluster[:, :, None]).squeeze(2) + queries @ vectors
        logits = logits + sizes.clamp_min(1).to(shared).log()

        def within(rows: Tensor, clusters: Tensor) -> Members:
            block, is_there = self.clusters.members(1 + partners.roles[rows], clusters)
            bits = self.env.shared_bits(partners.molecules[rows], block)
            products = embedding.table_of_products(own[rows], block, is_there, learns=False)
            table = (bits @ of_block[rows][:, :, None]).squeeze(2) + products
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
