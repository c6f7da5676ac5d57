"""A categorical distribution over the legal actions of each row."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor

NEGATIVE_INFINITY = float("-inf")
LOG2_E = 1.0 / math.log(2.0)
BLOCK, MANY = 64, 1024
"""More actions than `MANY` are drawn in two steps, a block of so many and one of it: on a CPU a third of the
time, for a long cumulative sum in float64 is slow."""


class Distribution(Protocol):
    """What samplers and objectives ask of a distribution over A actions for each of B rows."""

    def __len__(self) -> int:
        """B."""
        ...

    @property
    def logits(self) -> Tensor:
        """Float [B, A]; what stands at illegal actions means nothing."""
        ...

    @property
    def mask(self) -> Tensor:
        """Legal actions, bool [B, A]."""
        ...

    @property
    def log_probs(self) -> Tensor:
        """Float [B, A]; -inf where illegal."""
        ...

    def sample(self, generator: torch.Generator) -> Tensor:
        """One action per row, int64 [B]."""
        ...

    def sample_at(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """One action for each of `rows` int64 [M], which may repeat, int64 [M]."""
        ...

    def log_prob(self, actions: Tensor) -> Tensor:
        """Log probability of `actions` int64 [B], float [B]."""
        ...

    def log_prob_at(self, rows: Tensor, actions: Tensor) -> Tensor:
        """Log probability of `actions` int64 [M] in `rows` int64 [M], float [M]."""
        ...

    def entropy(self) -> Tensor:
        """Entropy in nats, float [B]."""
        ...

    def argmax(self) -> Tensor:
        """Most probable action of each row, int64 [B]."""
        ...

    def tempered(self, temperature: float) -> Distribution:
        """The distribution proportional to p^(1/temperature)."""
        ...

    def mix(self, other: Distribution, share: float) -> Distribution:
        """(1 - share) p + share q."""
        ...

    def mix_uniform(self, epsilon: float) -> Distribution:
        """(1 - epsilon) p + epsilon / n_legal."""
        ...


class MaskedCategorical:
    """Distribution over A actions for each of B rows; a masked action has probability exactly 0.

    Args:
        logits: float [B, A]; values at masked places are ignored and get zero gradient.
        mask: bool [B, A], True where the action is legal; every row needs at least one legal action.
    """

    def __init__(self, logits: Tensor, mask: Tensor) -> None:
        self.mask, self.logits = mask, logits
        self._log_probs: Tensor | None = None

    def __len__(self) -> int:
        return len(self.mask)

    @property
    def log_probs(self) -> Tensor:
        """Float [B, A], computed when first asked for; -inf where masked, nan where nothing is legal."""
        kept, learns = self._log_probs, torch.is_grad_enabled() and self.logits.requires_grad
        if kept is None or (learns and not kept.requires_grad):  # it was first asked for under no_grad
            kept = self.logits.masked_fill(~self.mask, NEGATIVE_INFINITY).log_softmax(dim=-1)
            self._log_probs = kept
        return kept

    @classmethod
    def uniform(cls, mask: Tensor) -> MaskedCategorical:
        """Equal probability for each legal action."""
        # Bytes and arithmetic in place: on a CPU a sixth of the time of `where`, a fifteenth of a softmax's.
        ones = mask.view(torch.uint8).to(torch.get_default_dtype())
        log_n_legal = ones.sum(dim=-1, keepdim=True).log()
        distribution = cls(torch.zeros((), device=mask.device).expand(mask.shape), mask)
        # 1 - 1 / 1 = 0 where legal, 1 - 1 / 0 = -inf elsewhere, and -inf + inf = nan where nothing is legal.
        distribution._log_probs = ones.reciprocal_().neg_().add_(1.0).sub_(log_n_legal)
        return distribution

    def sample(self, generator: torch.Generator) -> Tensor:
        """One action per row, int64 [B]: where the cumulative probability first exceeds a uniform number.

        A masked action adds nothing to the cumulative sum, so it is never the first to exceed. In float64,
        so that actions rarer than float32's resolution keep their probability.
        """
        return self._sampled(self._weights(), generator)

    def sample_at(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """One action for each of `rows` int64 [M], which may repeat, int64 [M]."""
        return self._sampled(self._weights()[rows], generator)

    def _weights(self) -> Tensor:
        # On a CPU exp2 of -inf takes a fifth of the time of exp.
        return (self.log_probs * LOG2_E).exp2_()

    def _sampled(self, weights: Tensor, generator: torch.Generator) -> Tensor:
        shape, device = weights.shape[:-1], weights.device
        level = torch.rand((*shape, 1), generator=generator, dtype=torch.float64, device=device)
        pick = _place_of if weights.shape[-1] <= MANY else _place_by_blocks
        return pick(weights, level).squeeze(-1)

    def log_prob(self, actions: Tensor) -> Tensor:
        """Log probability of `actions` int64 [B], float [B]; -inf for a masked action."""
        return self.log_probs.gather(-1, actions[:, None]).squeeze(-1)

    def log_prob_at(self, rows: Tensor, actions: Tensor) -> Tensor:
        """Log probability of `actions` int64 [M] in `rows` int64 [M], float [M]."""
        return self.log_probs[rows, actions]

    def entropy(self) -> Tensor:
        """Entropy in nats, float [B]."""
        finite = self.log_probs.masked_fill(~self.mask, 0.0)
        return -(finite.exp() * finite * self.mask).sum(dim=-1)

    def argmax(self) -> Tensor:
        """Most probable action of each row, int64 [B]; ties go to the lowest number."""
        return self.log_probs.argmax(dim=-1)

    def tempered(self, temperature: float) -> MaskedCategorical:
        """The distribution proportional to p^(1/temperature)."""
        return MaskedCategorical(self.log_probs.masked_fill(~self.mask, 0.0) / temperature, self.mask)

    def mix(self, other: Distribution, share: float) -> Distribution:
        """(1 - share) p + share q, where q is `other`; share is 0..1."""
        if share in (0.0, 1.0):
            return other if share else self
        mask = self.mask | other.mask
        # logaddexp of two -inf has no finite gradient.
        mine, theirs = (part.log_probs.masked_fill(~mask, 0.0) for part in (self, other))
        return MaskedCategorical(torch.logaddexp(mine + math.log1p(-share), theirs + math.log(share)), mask)

    def mix_uniform(self, epsilon: float | Tensor) -> MaskedCategorical:
        """(1 - epsilon) p + epsilon / n_legal; epsilon may differ between rows, float [B, 1]."""
        if isinstance(epsilon, float) and epsilon == 0.0:
            return self
        uniform = self.mask / self.mask.sum(dim=-1, keepdim=True)
        mixture = (1.0 - epsilon) * self.log_probs.exp() + epsilon * uniform
        return MaskedCategorical(mixture.clamp_min(torch.finfo(mixture.dtype).tiny).log(), self.mask)


def _place_of(weights: Tensor, level: Tensor) -> Tensor:
    return _first_above(weights, level)[0]


def _place_by_blocks(weights: Tensor, level: Tensor) -> Tensor:
    """The same place, but for rounding."""
    shape, n_actions = weights.shape[:-1], weights.shape[-1]
    n_whole = n_actions // BLOCK * BLOCK
    whole, rest = weights[..., :n_whole].view(*shape, -1, BLOCK), weights[..., n_whole:]
    block, level = _first_above(torch.cat([whole.sum(-1), rest.sum(-1, keepdim=True)], dim=-1), level)
    place = block * BLOCK + torch.arange(BLOCK, device=weights.device)
    chosen = weights.gather(-1, place.clamp_max(n_actions - 1)) * (place < n_actions)
    return block * BLOCK + _place_of(chosen, level)


def _first_above(weights: Tensor, level: Tensor) -> tuple[Tensor, Tensor]:
    """Where the cumulative sum first exceeds a share of the total, int64 [..., 1], and the share of that
    weight which lies below.

    Args:
        weights: [..., A], not negative.
        level: float64 [..., 1], in [0, 1).
    """
    cumulative = weights.cumsum(dim=-1, dtype=torch.float64)
    total = cumulative[..., -1:]
    # The product may round up to the total, which nothing exceeds.
    level = torch.minimum(level * total, torch.nextafter(total, torch.zeros_like(total)))
    place = torch.searchsorted(cumulative, level, right=True)
    # Without a legal action all is nan, and the place behind the last.
    found = place.clamp_max(weights.shape[-1] - 1)
    return place, 1.0 - (cumulative.gather(-1, found) - level) / weights.gather(-1, found).double()
