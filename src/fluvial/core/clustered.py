"""A categorical distribution over very many actions: first a cluster of them, then one of the cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from fluvial.core.categorical import NEGATIVE_INFINITY, Distribution, MaskedCategorical

PAIRS_AT_ONCE = 256
"""Rows with a cluster that are looked at together where all clusters are; arbitrary."""


@dataclass(frozen=True)
class Members:
    """The legal actions of one cluster in each of M rows."""

    action: Tensor
    """int64 [M, L], their numbers; anything where there are fewer."""
    choice: MaskedCategorical
    """Which of the L places, [M, L]."""

    def place(self, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Where `actions` int64 [M] are, int64 [M], and whether they are there at all, bool [M]."""
        is_it = (self.action == actions[:, None]) & self.choice.mask
        return is_it.byte().argmax(dim=1), is_it.any(dim=1)


Within = Callable[[Tensor, Tensor], Members]
"""The legal actions of clusters int64 [M] in rows int64 [M]; never asked about a cluster without any."""


def remembering(within: Within) -> Within:
    """The same, but what was asked last is not computed again: what is drawn is asked about next."""
    last: list[tuple[bool, Tensor, Tensor, Members]] = []

    def remembered(rows: Tensor, clusters: Tensor) -> Members:
        with_gradient = torch.is_grad_enabled()
        for had_gradient, *asked, members in last:
            if had_gradient == with_gradient and all(map(torch.equal, asked, (rows, clusters))):
                return members
        last[:] = [(with_gradient, rows, clusters, within(rows, clusters))]
        return last[0][3]

    return remembered


class ClusteredCategorical:
    """Distribution over A actions for each of U rows: P(cluster) P(action | cluster).

    A cluster is legal where one of its actions is, so the legal actions share all probability, and no table
    of U times A is made to draw one or to know its probability. What asks for all actions makes one.

    Args:
        logits: of the K clusters, float [U, K].
        sizes: how many actions of each cluster are legal, int64 [U, K]; every row needs at least one.
        within: the distributions over the actions of a cluster.
        cluster: int64 [A], where each action belongs.
    """

    def __init__(self, logits: Tensor, sizes: Tensor, within: Within, cluster: Tensor) -> None:
        self.clusters = MaskedCategorical(logits, sizes > 0)
        self.sizes, self.within, self.cluster = sizes, remembering(within), cluster

    def __len__(self) -> int:
        return len(self.sizes)

    def sample(self, generator: torch.Generator) -> Tensor:
        """One action per row, int64 [U]."""
        return self.sample_at(self._rows(), generator)

    def sample_at(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """One action for each of `rows` int64 [M], which may repeat, int64 [M]."""
        members = self.within(rows, self.clusters.sample_at(rows, generator))
        place = members.choice.sample(generator)
        return members.action.gather(1, place[:, None]).squeeze(1)

    def log_prob(self, actions: Tensor) -> Tensor:
        """Log probability of `actions` int64 [U], float [U]; -inf for an illegal action."""
        return self.log_prob_at(self._rows(), actions)

    def log_prob_at(self, rows: Tensor, actions: Tensor) -> Tensor:
        """Log probability of `actions` int64 [M] in `rows` int64 [M], float [M]."""
        clusters = self.cluster[actions]
        total = torch.full_like(rows, NEGATIVE_INFINITY, dtype=self.clusters.logits.dtype)
        # Only of clusters with a legal action, so that no gradient is nan.
        legal = self.clusters.mask[rows, clusters].nonzero().squeeze(1)
        members = self.within(rows[legal], clusters[legal])
        place, is_there = members.place(actions[legal])
        inner = members.choice.log_prob(place).masked_fill(~is_there, NEGATIVE_INFINITY)
        return total.index_copy(0, legal, self.clusters.log_prob_at(rows[legal], clusters[legal]) + inner)

    def tempered(self, temperature: float) -> ClusteredCategorical:
        """Both choices tempered, each to p^(1/temperature), as if they were two steps.

        Their product is not quite the tempered distribution over actions, which would need all of them.
        """
        within, clusters = self.within, self.clusters.tempered(temperature)

        def flattened(rows: Tensor, asked: Tensor) -> Members:
            members = within(rows, asked)
            return replace(members, choice=members.choice.tempered(temperature))

        return ClusteredCategorical(clusters.logits, self.sizes, flattened, self.cluster)

    def mix_uniform(self, epsilon: float) -> ClusteredCategorical:
        """(1 - epsilon) p + epsilon / n_legal, exactly."""
        if epsilon == 0.0:
            return self
        uniform = epsilon * self.sizes / self.sizes.sum(dim=1, keepdim=True)
        mixture = (1.0 - epsilon) * self.clusters.log_probs.exp() + uniform
        # What of a cluster's probability is there by chance.
        within, share = self.within, uniform / mixture.masked_fill(~self.clusters.mask, 1.0)
        logits = mixture.clamp_min(torch.finfo(mixture.dtype).tiny).log()

        def mixed(rows: Tensor, asked: Tensor) -> Members:
            members = within(rows, asked)
            return replace(members, choice=members.choice.mix_uniform(share[rows, asked][:, None]))

        return ClusteredCategorical(logits, self.sizes, mixed, self.cluster)

    def mix(self, other: Distribution, share: float) -> Distribution:
        """(1 - share) p + share q, where q is `other`; share is 0..1. A table of all actions."""
        if share in (0.0, 1.0):
            return other if share else self
        return MaskedCategorical(self.log_probs, self.mask).mix(other, share)

    def entropy(self) -> Tensor:
        """Entropy in nats, float [U], that of the cluster and the mean of those within; asks all of them."""
        total = self.clusters.entropy()
        for rows, clusters, members in self._everywhere():
            weighted = self.clusters.log_prob_at(rows, clusters).exp() * members.choice.entropy()
            total = total.index_add(0, rows, weighted)
        return total

    def argmax(self) -> Tensor:
        """Most probable action of each row, int64 [U]; ties go to the lowest number. Asks all of them."""
        return self.log_probs.argmax(dim=1)

    @cached_property
    def log_probs(self) -> Tensor:
        """Float [U, A], of all actions side by side; -inf where illegal."""
        shape = len(self), len(self.cluster)
        total = torch.full(shape, NEGATIVE_INFINITY, dtype=self.clusters.logits.dtype)
        total = total.to(self.cluster.device)
        for rows, clusters, members in self._everywhere():
            outer = self.clusters.log_prob_at(rows, clusters)[:, None]
            pair, place = members.choice.mask.nonzero(as_tuple=True)
            values = (outer + members.choice.log_probs)[pair, place]
            total = total.index_put((rows[pair], members.action[pair, place]), values)
        return total

    @cached_property
    def mask(self) -> Tensor:
        """Legal actions, bool [U, A]."""
        return self.log_probs.detach() > NEGATIVE_INFINITY

    @property
    def logits(self) -> Tensor:
        """The log probabilities, float [U, A]; 0 where illegal."""
        return self.log_probs.masked_fill(~self.mask, 0.0)

    def _rows(self) -> Tensor:
        return torch.arange(len(self), device=self.sizes.device)

    def _everywhere(self) -> Iterator[tuple[Tensor, Tensor, Members]]:
        """All legal clusters of all rows, some at a time."""
        for some in torch.split(self.clusters.mask.nonzero(), PAIRS_AT_ONCE):
            rows, clusters = some.unbind(dim=1)
            yield rows, clusters, self.within(rows, clusters)
