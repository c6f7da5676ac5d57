"""From features to one logit per action: a head for each family of actions that the environment declares."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fluvial.core.environment import ActionFamily
from fluvial.core.observation import GraphObservation, GraphSizes
from fluvial.nets.graph_transformer import GraphFeatures
from fluvial.nets.mlp import mlp

_LOOK_WIDTH = 16
"""Width in which options look at neighbours; arbitrary."""


class GraphHead(nn.Module):
    """Actions on the whole graph."""

    def __init__(self, width: int, family: ActionFamily) -> None:
        super().__init__()
        self.out = mlp(2 * width, width, family.size, 1)

    def forward(self, features: GraphFeatures, observation: GraphObservation) -> Tensor:
        """Logits float [B, size]."""
        logits: Tensor = self.out(features.graph)
        return logits


class NodeHead(nn.Module):
    """The same actions on each node."""

    def __init__(self, width: int, family: ActionFamily) -> None:
        super().__init__()
        self.out = nn.Linear(width, family.size)

    def forward(self, features: GraphFeatures, observation: GraphObservation) -> Tensor:
        """Logits float [B, N * size]."""
        logits: Tensor = self.out(features.node)
        return logits.flatten(1)


class OptionHead(nn.Module):
    """Options of each node (attachment points), told apart by their category and by how they lie to the
    neighbours.

    The logit of option s of node n is q_n . c(s) + sum over neighbours j of (q_n * k_j) . r(s, j), so
    equivalent options get equal logits and no numbering matters.
    """

    def __init__(self, width: int, sizes: GraphSizes) -> None:
        super().__init__()
        self.category = nn.Linear(width, sizes.candidate)
        self.query = nn.Linear(width, _LOOK_WIDTH)
        self.key = nn.Linear(width, _LOOK_WIDTH)
        self.relation = nn.Linear(_LOOK_WIDTH, sizes.relation, bias=False)

    def forward(self, features: GraphFeatures, observation: GraphObservation) -> Tensor:
        """Logits float [B, N * S]."""
        own: Tensor = self.category(features.node).gather(2, observation.candidate)
        n_nodes, n_options = observation.candidate.shape[1:]
        between_nodes = observation.bond[:, 2] < n_nodes
        row, near, far = observation.bond[between_nodes].unbind(dim=1)
        look = self.query(features.node)[row, near] * self.key(features.node)[row, far]
        seen = observation.relation[between_nodes]
        seen_logits = self.relation(look).gather(1, seen) * (seen > 0)
        flat = own.reshape(-1, n_options).index_add(0, row * n_nodes + near, seen_logits)
        return flat.reshape(len(own), -1)


def build_head(width: int, family: ActionFamily, sizes: GraphSizes) -> nn.Module:
    """The head that fits a family of actions."""
    if family.per == "option":
        return OptionHead(width, sizes)
    return NodeHead(width, family) if family.per == "node" else GraphHead(width, family)


class ActionHeads(nn.Module):
    """All logits of an environment in its own numbering."""

    def __init__(self, width: int, families: tuple[ActionFamily, ...], sizes: GraphSizes) -> None:
        super().__init__()
        self.heads = nn.ModuleList(build_head(width, family, sizes) for family in families)

    def forward(self, features: GraphFeatures, observation: GraphObservation) -> Tensor:
        """Logits float [B, A]."""
        return torch.cat([head(features, observation) for head in self.heads], dim=1)
