"""A transformer over the nodes of padded graphs that spends arithmetic on real nodes only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, embedding_bag, pad

from fluvial.core.observation import GraphObservation, GraphSizes
from fluvial.nets.block import Block
from fluvial.nets.packing import Packing


@dataclass(frozen=True)
class GraphFeatures:
    """What the network knows of B graphs of at most N nodes."""

    node: Tensor
    """float [B, N, D], zeros where there is no node."""
    graph: Tensor
    """float [B, 2 D], of the virtual node and of the token in focus."""


class CategorySum(nn.Module):
    """Sum of the embeddings of several categories; category 0 of each kind adds nothing."""

    def __init__(self, sizes: tuple[int, ...], width: int, scale: float = 1.0) -> None:
        super().__init__()
        first = torch.tensor([0, *sizes]).cumsum(0)[:-1]
        self.register_buffer("first", first, persistent=False)
        self.table = nn.Parameter(torch.randn(sum(sizes), width) * scale)
        nothing = torch.zeros(sum(sizes), 1)
        nothing[first] = 1.0
        self.register_buffer("something", 1.0 - nothing, persistent=False)
        self.first: Tensor
        self.something: Tensor

    def forward(self, categories: Tensor) -> Tensor:
        """Categories int64 [M, ..., K] to float [M, width], summed over all but the first axis."""
        index, table = (categories + self.first).flatten(1), self.table * self.something
        if index.shape[1] > len(table):
            # Many of few kinds: counting them first is a product of matrices, forward and backward.
            counts = table.new_zeros((len(index), len(table)))
            return counts.scatter_add_(1, index, counts.new_ones(()).expand_as(index)) @ table
        total: Tensor = embedding_bag(index, table, mode="sum")
        return total


class PairAttention(nn.Module):
    """Attention within each graph, biased by how each pair of tokens lies.

    Args:
        width: D, a multiple of `heads`.
        heads: attention heads.
        n_pair: categories of pairs in all.
    """

    def __init__(self, width: int, heads: int, n_pair: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.pair_bias = nn.Parameter(torch.zeros(n_pair, heads))

    def forward(self, tokens: Tensor, packing: Packing, bias: Tensor) -> Tensor:
        """Tokens float [M, D] to the same; `bias` float [B, heads, L, L], -inf for keys that do not exist.

        Products are on packed tokens, the small attention itself on the grid.
        """
        grid = packing.pad(self.query_key_value(tokens))
        n_rows, length, _ = grid.shape
        query, key, value = grid.view(n_rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        score = query @ key.transpose(2, 3) * query.shape[3] ** -0.5 + bias
        mixed = (score.softmax(dim=3) @ value).transpose(1, 2).flatten(2)
        out: Tensor = self.out(packing.pack(mixed))
        return out


class GraphTransformer(nn.Module):
    """Observation of B graphs to features of their nodes and of the whole.

    The condition enters through a virtual node that all nodes attend to, and modulates each layer.
    Numbering the nodes differently permutes the node features and changes nothing else.

    Args:
        sizes: numbers of categories of the observation.
        condition_width: C, may be 0.
        width: D, a multiple of `heads`.
        layers: number of layers.
        heads: attention heads.
        dropout: probability, after attention and feed-forward.
    """

    def __init__(
        self,
        sizes: GraphSizes,
        condition_width: int,
        width: int = 128,
        layers: int = 4,
        heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.width = width
        self.embed_node = CategorySum(sizes.node, width)
        self.embed_graph = CategorySum(sizes.graph, width)
        self.embed_pair = CategorySum(sizes.pair, width, scale=0.5)
        self.embed_condition = nn.Linear(condition_width, width) if condition_width else None
        self.virtual = nn.Parameter(torch.randn(width))
        self.layers = nn.ModuleList(
            Block(PairAttention(width, heads, sum(sizes.pair) + 2), width, dropout, condition_width)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, observation: GraphObservation, encoding: Tensor) -> GraphFeatures:
        """Features of the graphs; `encoding` float [B, C]."""
        is_node = observation.node[:, :, 0] > 0
        n_rows, n_nodes = is_node.shape
        longest = int(is_node.sum(dim=1).max()) if n_rows else 0
        kept = torch.cat([torch.arange(longest), torch.tensor([n_nodes])]).to(is_node.device)
        packing = Packing.of(pad(is_node, (0, 1), value=True)[:, kept])
        pair = observation.pair[:, kept][:, :, kept]

        virtual = self.embed_graph(observation.graph) + self.virtual
        if self.embed_condition is not None:
            virtual = virtual + self.embed_condition(encoding)
        nodes = packing.pack(pad(observation.node[:, :longest], (0, 0, 0, 1)))
        tokens = self.embed_node(nodes) + self.embed_pair(packing.pack(pair))
        is_virtual = packing.place % (longest + 1) == longest
        tokens = tokens + virtual[packing.row] * is_virtual[:, None]

        for layer, bias in zip(self.layers, self._biases(pair, packing), strict=True):
            tokens = layer(tokens, packing, encoding, bias)
        return self._split(packing.pad(self.norm(tokens)), observation.focus, n_nodes)

    def _biases(self, pair: Tensor, packing: Packing) -> tuple[Tensor, ...]:
        """What each layer adds to its scores, float [B, heads, L, L], looked up for all layers at once.

        The last two rows of a table are for other keys and for the virtual node, the last key.
        """
        tables: list[Tensor] = [
            cast(PairAttention, cast(Block, layer).attention).pair_bias for layer in self.layers
        ]
        table = torch.cat(tables, dim=1)
        index = pair + self.embed_pair.first
        bias = table[-2:][[0] * (pair.shape[1] - 1) + [1]].expand(*pair.shape[:3], -1)
        for kind in range(pair.shape[3]):
            bias = bias + embedding(index[..., kind], table)
        bias = bias.masked_fill(~packing.exists[:, None, :, None], -torch.inf)
        apart = bias.view(*bias.shape[:3], len(self.layers), -1).permute(3, 0, 4, 1, 2)
        return apart.contiguous().unbind()

    def _split(self, grid: Tensor, focus: Tensor, n_nodes: int) -> GraphFeatures:
        longest = grid.shape[1] - 1
        virtual = grid[:, longest]
        place = torch.where(focus == n_nodes, longest, focus)
        in_focus = grid.gather(1, place[:, None, None].expand(-1, 1, self.width)).squeeze(1)
        node = pad(grid[:, :longest], (0, 0, 0, n_nodes - longest))
        return GraphFeatures(node, torch.cat([virtual, in_focus], dim=1))
