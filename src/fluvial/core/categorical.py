"""A categorical distribution over the legal actions of each row."""

from __future__ import annotations

import math
from functools import cached_property

import torch
from torch import Tensor

NEGATIVE_INFINITY = float("-inf")
LOG2_E = 1.0 / math.log(2.0)


class MaskedCategorical:
    """Distribution over A actions for each of B rows; a masked action has probability exactly 0.

    Args:
        logits: float [B, A]; values at masked places are ignored and get zero gradient.
        mask: bool [B, A], True where the action is legal; every row needs at least one legal action.
    """

    def __init__(self, logits: Tensor, mask: Tensor) -> None:
        self.mask, self.logits = mask, logits

    @cached_property
    def log_probs(self) -> Tensor:
        """Float [B, A], computed when first asked for; -inf where masked, nan where nothing is legal."""
        return self.logits.masked_fill(~self.mask, NEGATIVE_INFINITY).log_softmax(dim=-1)

    @classmethod
    def uniform(cls, mask: Tensor) -> MaskedCategorical:
        """Equal probability for each legal action."""
        n_legal = mask.sum(dim=-1, keepdim=True).to(torch.get_default_dtype())
        elsewhere = torch.where(n_legal > 0.0, NEGATIVE_INFINITY, torch.nan)
        distribution = cls(torch.zeros(mask.shape, device=mask.device), mask)
        # A softmax over few actions takes five times as long.
        distribution.log_probs = torch.where(mask, -n_legal.log(), elsewhere)
        return distribution

    def sample(self, generator: torch.Generator) -> Tensor:
        """One action per row, int64 [B]: where the cumulative probability first exceeds a uniform number.

        A masked action adds nothing to the cumulative sum, so it is never the first to exceed. In float64,
        so that actions rarer than float32's resolution keep their probability.
        """
        # On a CPU exp2 of -inf takes a fifth of the time of exp.
        cumulative = (self.log_probs * LOG2_E).exp2().cumsum(dim=-1, dtype=torch.float64)
        shape, device = self.log_probs.shape[:-1], self.log_probs.device
        level = torch.rand((*shape, 1), generator=generator, dtype=torch.float64, device=device)
        total = cumulative[..., -1:]
        # The product may round up to the total, which nothing exceeds.
        level = torch.minimum(level * total, torch.nextafter(total, torch.zeros_like(total)))
        return torch.searchsorted(cumulative, level, right=True).squeeze(-1)

    def log_prob(self, actions: Tensor) -> Tensor:
        """Log probability of `actions` int64 [B], float [B]; -inf for a masked action."""
        return self.log_probs.gather(-1, actions[:, None]).squeeze(-1)

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

    def mix(self, other: MaskedCategorical, share: float) -> MaskedCategorical:
        """(1 - share) p + share q, where q is `other`; share is 0..1."""
        if share in (0.0, 1.0):
            return other if share else self
        mask = self.mask | other.mask
        # logaddexp of two -inf has no finite gradient.
        mine, theirs = (part.log_probs.masked_fill(~mask, 0.0) for part in (self, other))
        return MaskedCategorical(torch.logaddexp(mine + math.log1p(-share), theirs + math.log(share)), mask)

    def mix_uniform(self, epsilon: float) -> MaskedCategorical:
        """(1 - epsilon) p + epsilon / n_legal."""
        if epsilon == 0.0:
            return self
        uniform = self.mask / self.mask.sum(dim=-1, keepdim=True)
        mixture = (1.0 - epsilon) * self.log_probs.exp() + epsilon * uniform
        return MaskedCategorical(mixture.clamp_min(torch.finfo(mixture.dtype).tiny).log(), self.mask)
