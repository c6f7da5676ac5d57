"""A categorical distribution whose rows choose among different slices of a long list of actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from fluvial.core.categorical import NEGATIVE_INFINITY, Distribution, MaskedCategorical


@dataclass(frozen=True)
class Part:
    """Some different rows, and the slice of the actions that is open to them."""

    first: int
    """Number of the slice's first action."""
    distribution: Distribution
    """Over the slice, [M, width]."""
    width: int


class PartedCategorical:
    """Distribution over A actions for each of B rows, of which many are alike.

    The U different rows are computed once, each over its own slice only: a row that chooses among some
    hundred reactions costs nothing for the thousands of building blocks that another one chooses among.

    Args:
        parts: together the U rows, in their order.
        place: int64 [B], which of the U rows each row is.
        n_actions: A.
    """

    def __init__(self, parts: Sequence[Part], place: Tensor, n_actions: int) -> None:
        self.parts, self.place, self.n_actions = tuple(parts), place, n_actions
        sizes = [len(part.distribution) for part in self.parts]
        self._starts = [0, *torch.tensor(sizes).cumsum(0).tolist()]

    def __len__(self) -> int:
        return len(self.place)

    def _rows_by_part(self) -> list[tuple[Part, Tensor, Tensor]]:
        """Each part with its rows of the B, and their places in it."""
        found = []
        for part, start, end in zip(self.parts, self._starts, self._starts[1:], strict=False):
            rows = ((self.place >= start) & (self.place < end)).nonzero().squeeze(1)
            if len(rows):
                found.append((part, rows, self.place[rows] - start))
        return found

    def sample(self, generator: torch.Generator) -> Tensor:
        """One action per row, int64 [B]."""
        actions = torch.zeros_like(self.place)
        for part, rows, places in self._rows_by_part():
            actions[rows] = part.first + part.distribution.sample_at(places, generator)
        return actions

    def sample_at(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """One action for each of `rows` int64 [M] of the B, int64 [M]."""
        return self._at(rows).sample(generator)

    def log_prob(self, actions: Tensor) -> Tensor:
        """Log probability of `actions` int64 [B], float [B]; -inf outside of a row's slice."""
        total: Tensor | None = None
        for part, rows, places in self._rows_by_part():
            own = actions[rows] - part.first
            inside = (own >= 0) & (own < part.width)
            values = part.distribution.log_prob_at(places, own.clamp(0, part.width - 1))
            values = values.masked_fill(~inside, NEGATIVE_INFINITY)
            total = values.new_zeros(len(self)) if total is None else total
            total = total.index_copy(0, rows, values)
        return torch.zeros(0) if total is None else total

    def log_prob_at(self, rows: Tensor, actions: Tensor) -> Tensor:
        """Log probability of `actions` int64 [M] in rows int64 [M], float [M]."""
        return self._at(rows).log_prob(actions)

    def entropy(self) -> Tensor:
        """Entropy in nats, float [B]."""
        return torch.cat([part.distribution.entropy() for part in self.parts])[self.place]

    def argmax(self) -> Tensor:
        """Most probable action of each row, int64 [B]."""
        found = [part.first + part.distribution.argmax() for part in self.parts]
        return torch.cat(found)[self.place]

    def tempered(self, temperature: float) -> PartedCategorical:
        """The distribution proportional to p^(1/temperature)."""
        return self._each(lambda distribution: distribution.tempered(temperature))

    def mix_uniform(self, epsilon: float) -> PartedCategorical:
        """(1 - epsilon) p + epsilon / n_legal."""
        return self if epsilon == 0.0 else self._each(lambda one: one.mix_uniform(epsilon))

    def mix(self, other: Distribution, share: float) -> Distribution:
        """(1 - share) p + share q, where q is `other`; share is 0..1."""
        if share in (0.0, 1.0):
            return other if share else self
        return MaskedCategorical(self.log_probs, self.mask).mix(other, share)

    def _each(self, change: Callable[[Distribution], Distribution]) -> PartedCategorical:
        parts = [replace(part, distribution=change(part.distribution)) for part in self.parts]
        return PartedCategorical(parts, self.place, self.n_actions)

    def _at(self, rows: Tensor) -> PartedCategorical:
        return PartedCategorical(self.parts, self.place[rows], self.n_actions)

    @cached_property
    def log_probs(self) -> Tensor:
        """Float [B, A], of all actions side by side; for small lists of actions."""
        return self._spread([part.distribution.log_probs for part in self.parts], NEGATIVE_INFINITY)

    @cached_property
    def logits(self) -> Tensor:
        """Float [B, A], 0 outside of a row's slice; for small lists of actions."""
        return self._spread([part.distribution.logits for part in self.parts], 0.0)

    @cached_property
    def mask(self) -> Tensor:
        """Legal actions, bool [B, A]; for small lists of actions."""
        return self._spread([part.distribution.mask for part in self.parts], False)

    def _spread(self, tables: Sequence[Tensor], fill: float | bool) -> Tensor:
        wide = []
        for part, table in zip(self.parts, tables, strict=True):
            after = self.n_actions - part.first - part.width
            wide.append(torch.nn.functional.pad(table, (part.first, after), value=fill))
        return torch.cat(wide)[self.place]
