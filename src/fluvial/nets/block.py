"""What all transformers here have in common: a layer around some attention."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from fluvial.nets.packing import Packing


class Block(nn.Module):
    """Pre-norm attention and feed-forward, both modulated by the condition (FiLM).

    Args:
        attention: from normed tokens float [M, D], their packing and whatever else `forward` was given, to
            the same shape.
        width: D.
        dropout: probability, after attention and feed-forward.
        condition_width: C, may be 0.
    """

    def __init__(self, attention: nn.Module, width: int, dropout: float, condition_width: int) -> None:
        super().__init__()
        self.attention = attention
        self.norm_attention = nn.LayerNorm(width)
        self.norm_feed = nn.LayerNorm(width)
        self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.dropout = nn.Dropout(dropout)
        self.film = nn.Linear(condition_width, 4 * width) if condition_width else None
        if self.film is not None:
            nn.init.zeros_(self.film.weight)
            nn.init.zeros_(self.film.bias)

    def forward(self, tokens: Tensor, packing: Packing, condition: Tensor, *view: Any) -> Tensor:
        """Tokens float [M, D] to the same; `condition` float [B, C], `view` goes to the attention."""
        scale_a, shift_a, scale_f, shift_f = self._modulation(condition, packing.row)
        attended = self.attention(self.norm_attention(tokens) * scale_a + shift_a, packing, *view)
        tokens = tokens + self.dropout(attended)
        fed_forward = self.feed(self.norm_feed(tokens) * scale_f + shift_f)
        result: Tensor = tokens + self.dropout(fed_forward)
        return result

    def _modulation(self, condition: Tensor, row: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        if self.film is None:
            one, zero = condition.new_ones(()), condition.new_zeros(())
            return one, zero, one, zero
        scale_a, shift_a, scale_f, shift_f = self.film(condition)[row].chunk(4, dim=1)
        return 1 + scale_a, shift_a, 1 + scale_f, shift_f
