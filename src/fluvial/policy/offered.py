"""Which blocks of which cluster are offered where a block is chosen."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from fluvial.core.observation import SynthesisEnvironment

BLOCKS_AT_ONCE = 65_536
"""Whose bits are counted together, to spare memory; arbitrary."""


class OfferedClusters(nn.Module):
    """The blocks of each set that is offered, in the order of the clusters, as they are first asked for.

    Args:
        env: supplies the sets, the K clusters and the bits of the blocks.
    """

    def __init__(self, env: SynthesisEnvironment[Any]) -> None:
        super().__init__()
        cluster = env.block_clusters()
        self.env, self.n_clusters = env, int(cluster.max()) + 1
        self.register_buffer("cluster", cluster, persistent=False)
        self.register_buffer("shares", _mean_bits(env, cluster, self.n_clusters), persistent=False)
        self._row: dict[int, int] = {}
        self._listed = torch.zeros(0, dtype=torch.int32)
        """Blocks of all sets met so far, one set behind the other."""
        self._ends = torch.zeros((0, 1 + self.n_clusters), dtype=torch.int64)
        """Where each cluster of each set ends in the list."""

    def sizes(self, offers: Tensor) -> Tensor:
        """How many blocks of each cluster are in sets int64 [U], int64 [U, K]."""
        ends = self._ends_of(offers)
        return ends[:, 1:] - ends[:, :-1]

    def members(self, offers: Tensor, clusters: Tensor) -> tuple[Tensor, Tensor]:
        """The blocks from 0 of clusters int64 [M] in sets int64 [M], int64 [M, L], and where there is one,
        bool [M, L]."""
        ends = self._ends_of(offers)
        pairs = torch.stack([clusters, clusters + 1], dim=1)
        first, last = ends.gather(1, pairs).unbind(dim=1)
        width = max([1, *(last - first).tolist()])
        place = first[:, None] + torch.arange(width, device=first.device)
        is_there = place < last[:, None]
        return self._listed[torch.where(is_there, place, 0)].long(), is_there

    def _ends_of(self, offers: Tensor) -> Tensor:
        different, place = torch.unique(offers, return_inverse=True)
        rows = [self._row_of(offer) for offer in different.tolist()]
        return self._ends[torch.tensor(rows, dtype=torch.int64, device=offers.device)[place]]

    def _row_of(self, offer: int) -> int:
        known = self._row.get(offer)
        if known is None:
            known = self._row[offer] = len(self._row)
            self._add(offer)
        return known

    def _add(self, offer: int) -> None:
        cluster = self.get_buffer("cluster")
        blocks = self.env.offered(offer).to(cluster.device)
        clusters, order = cluster[blocks].sort(stable=True)
        edges = torch.arange(1 + self.n_clusters, device=cluster.device)
        ends = len(self._listed) + torch.searchsorted(clusters, edges)
        self._listed = torch.cat([self._listed.to(cluster.device), blocks[order].int()])
        self._ends = torch.cat([self._ends.to(cluster.device), ends[None]])


def _mean_bits(env: SynthesisEnvironment[Any], cluster: Tensor, n_clusters: int) -> Tensor:
    """The share of the blocks of each cluster that have each bit, float [K, bits]."""
    bits = env.block_bits()
    counts = torch.zeros(n_clusters * bits.width, dtype=torch.int64)
    for rows in torch.split(torch.arange(len(cluster)), BLOCKS_AT_ONCE):
        ends = bits.end[rows[0] : rows[-1] + 2]
        owner = torch.repeat_interleave(cluster[rows], ends.diff())
        counts += torch.bincount(owner * bits.width + bits.bit[ends[0] : ends[-1]], minlength=len(counts))
    sizes = torch.bincount(cluster, minlength=n_clusters).clamp_min(1)
    return counts.reshape(n_clusters, bits.width) / sizes[:, None]
