"""From features to one logit per action: a head for each family of actions that the environment declares."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from fluvial.core.environment import ActionFamily
from fluvial.core.observation import GraphObservation, GraphSizes
from fluvial.nets.graph_transformer import CategorySum, GraphFeatures
from fluvial.nets.mlp import mlp

_LOOK_WIDTH = 16
"""Width in which options look at neighbours; arbitrary."""
_PAIR_WIDTH = 32
"""Hidden width of what is said of two nodes: there are many pairs; arbitrary."""


class GraphHead(nn.Module):
    """Actions on the whole graph."""

    def __init__(self, width: int, family: ActionFamily, sizes: GraphSizes) -> None:
        super().__init__()
        self.out = mlp(2 * width, width, family.size, 1)

    def forward(self, features: GraphFeatures, observation: GraphObservation) -> Tensor:
        """Logits float [B, size]."""
        logits: Tensor = self.out(features.graph)
        return logits


class NodeHead(nn.Module):
    """The same actions on each node."""

    def __init__(self, width: int, family: ActionFamily, sizes: GraphSizes) -> None:
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

    def __init__(self, width: int, family: ActionFamily, sizes: GraphSizes) -> None:
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


class PairHead(nn.Module):
    """The same actions on each two nodes u < v, whichever comes first.

    The hidden layer sums what either node brings alone, the product of what both bring together, the whole
    graph's part and the categories of the pair, without which the pairs of a ring would all look alike.
    """

    def __init__(self, width: int, family: ActionFamily, sizes: GraphSizes) -> None:
        super().__init__()
        self.alone = nn.Linear(width, _PAIR_WIDTH)
        self.together = nn.Linear(width, _PAIR_WIDTH)
        self.graph = nn.Linear(2 * width, _PAIR_WIDTH)
        self.category = CategorySum(sizes.pair, _PAIR_WIDTH)
        self.out = nn.Linear(_PAIR_WIDTH, family.size)

    def forward(self, features: GraphFeatures, observation: GraphObservation) -> Tensor:
        """Logits float [B, P * size]."""
        n_nodes = features.node.shape[1]
        first, second = torch.triu_indices(n_nodes, n_nodes, offset=1, device=features.node.device)
        alone, together = self.alone(features.node), self.together(features.node)
        hidden = alone[:, first] + alone[:, second] + together[:, first] * together[:, second]
        hidden = hidden + self.graph(features.graph)[:, None]
        hidden = hidden + _embedded(self.category, observation.pair[:, first, second])
        logits: Tensor = self.out(gelu(hidden))
        return logits.flatten(1)


class ArcHead(nn.Module):
    """The same actions on each node u and node v in this order: `PairHead` with a part for either end."""

    def __init__(self, width: int, family: ActionFamily, sizes: GraphSizes) -> None:
        super().__init__()
        self.source, self.target = (nn.Linear(width, 2 * _PAIR_WIDTH) for _ in range(2))
        self.graph = nn.Linear(2 * width, _PAIR_WIDTH)
        self.category = CategorySum(sizes.pair, _PAIR_WIDTH)
        self.out = nn.Linear(_PAIR_WIDTH, family.size)

    def forward(self, features: GraphFeatures, observation: GraphObservation) -> Tensor:
        """Logits float [B, N * N * size]; those of a node with itself mean nothing."""
        source_alone, source_together = self.source(features.node)[:, :, None].chunk(2, dim=3)
        target_alone, target_together = self.target(features.node)[:, None].chunk(2, dim=3)
        hidden = source_alone + target_alone + source_together * target_together
        hidden = hidden + self.graph(features.graph)[:, None, None]
        hidden = hidden + _embedded(self.category, observation.pair[:, :-1, :-1])
        logits: Tensor = self.out(gelu(hidden))
        return logits.flatten(1)


def _embedded(category: CategorySum, pair: Tensor) -> Tensor:
    """Categories int64 [B, ..., K] to float [B, ..., width]."""
    embedded: Tensor = category(pair.flatten(0, -2))
    return embedded.reshape(*pair.shape[:-1], embedded.shape[1])


HEADS: dict[str, Callable[[int, ActionFamily, GraphSizes], nn.Module]] = {
    "graph": GraphHead,
    "node": NodeHead,
    "option": OptionHead,
    "pair": PairHead,
    "arc": ArcHead,
}
"""The head for each kind of element, made from the width of the features, the family and the sizes."""


class ActionHeads(nn.Module):
    """All logits of an environment in its own numbering."""

    def __init__(self, width: int, families: tuple[ActionFamily, ...], sizes: GraphSizes) -> None:
        super().__init__()
        self.heads = nn.ModuleList(HEADS[family.per](width, family, sizes) for family in families)

    def forward(self, features: GraphFeatures, observation: GraphObservation) -> Tensor:
        """Logits float [B, A]."""
        return torch.cat([head(features, observation) for head in self.heads], dim=1)
