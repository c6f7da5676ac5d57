"""A categorical distribution over the legal actions of each row."""

from __future__ import annotations

import torch
from torch import Tensor

NEGATIVE_INFINITY = float("-inf")


class MaskedCategorical:
    """Distribution over A actions for each of B rows; a masked action has probability exactly 0.

    Args:
        logits: float [B, A]; values at masked places are ignored and get zero gradient.
        mask: bool [B, A], True where the action is legal; every row needs at least one legal action.
    """

    def __init__(self, logits: Tensor, mask: Tensor) -> None:
        self.mask = mask
        self.log_probs = logits.masked_fill(~mask, NEGATIVE_INFINITY).log_softmax(dim=-1)

    @classmethod
    def uniform(cls, mask: Tensor) -> MaskedCategorical:
        """Equal probability for each legal action."""
        return cls(torch.zeros(mask.shape, device=mask.device), mask)

    def sample(self, generator: torch.Generator) -> Tensor:
        """One action per row by the Gumbel-max trick, int64 [B]; never a masked one."""
        noise = torch.empty_like(self.log_probs).exponential_(generator=generator)
        return (self.log_probs - noise.log()).argmax(dim=-1)

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

    def mix_uniform(self, epsilon: float) -> MaskedCategorical:
        """(1 - epsilon) p + epsilon / n_legal."""
        if epsilon == 0.0:
            return self
        uniform = self.mask / self.mask.sum(dim=-1, keepdim=True)
        mixture = (1.0 - epsilon) * self.log_probs.exp() + epsilon * uniform
        return MaskedCategorical(mixture.clamp_min(torch.finfo(mixture.dtype).tiny).log(), self.mask)


def log_uniform(mask: Tensor) -> Tensor:
    """Log probability of each legal action under the uniform distribution, float [B]; mask bool [B, A]."""
    return -mask.sum(dim=-1).clamp_min(1).to(torch.get_default_dtype()).log()
