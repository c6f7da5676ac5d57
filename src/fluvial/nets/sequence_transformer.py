"""A transformer over the symbols of words that spends arithmetic on real symbols only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, scaled_dot_product_attention

from fluvial.core.errors import ConfigError
from fluvial.nets.block import Block
from fluvial.nets.packing import Packing

LONGEST_WAVE = 10_000.0
"""Ratio of the longest to the shortest wavelength (Vaswani et al. 2017, arXiv:1706.03762, section 3.5)."""


@dataclass(frozen=True)
class Positions:
    """How tokens learn where they stand; `angles` float [T, W / 2] of T places."""

    mark: Callable[[Tensor, Tensor], Tensor]
    """mark(tokens [..., T, D], angles) before the first layer."""
    turn: Callable[[Tensor, Tensor], Tensor]
    """turn(x [B, heads, T, D / heads], angles) of queries and keys in each layer."""


def _unchanged(x: Tensor, angles: Tensor) -> Tensor:
    return x


def add_waves(x: Tensor, angles: Tensor) -> Tensor:
    """x float [..., T, D] plus sines and cosines of angles [T, D / 2]."""
    return x + torch.cat([angles.sin(), angles.cos()], dim=1)


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Each pair (x_i, x_{i + D/2}) of x float [..., T, D] turned by its angle, [T, D / 2].

    A product of two vectors so turned depends on the difference of their places only (Su et al. 2021,
    arXiv:2104.09864).
    """
    first, second = x.chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)


POSITIONS: dict[str, Positions] = {
    "rotary": Positions(_unchanged, rotate),
    "sinusoidal": Positions(add_waves, _unchanged),
}
"""The codes of position by name."""


def wave_angles(n_places: int, width: int, like: Tensor) -> Tensor:
    """Place times frequency, float [n_places, width / 2], with the type and on the device of `like`."""
    place = torch.arange(n_places, device=like.device, dtype=like.dtype)
    exponent = torch.arange(0, width, 2, device=like.device, dtype=like.dtype) / width
    return place[:, None] * LONGEST_WAVE**-exponent


class PlacedAttention(nn.Module):
    """Attention within each word, in which queries and keys know their places.

    Args:
        width: D, a multiple of twice `heads`.
        heads: attention heads.
        turn: turn(x, angles) of queries and keys.
    """

    def __init__(self, width: int, heads: int, turn: Callable[..., Tensor]) -> None:
        super().__init__()
        self.heads, self.turn = heads, turn
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, tokens: Tensor, packing: Packing, is_causal: bool) -> Tensor:
        """Tokens float [M, D] to the same; products on packed tokens, the attention itself on the grid.

        Padding stands behind the end, where no earlier token looks in causal attention.
        """
        grid = packing.pad(self.query_key_value(tokens))
        n_rows, length, width = grid.shape
        split = grid.view(n_rows, length, 3, self.heads, width // (3 * self.heads))
        query, key, value = split.permute(2, 0, 3, 1, 4)
        angles = wave_angles(length, query.shape[3], query)
        seen = None if is_causal else packing.exists[:, None, None, :]
        mixed = scaled_dot_product_attention(
            self.turn(query, angles), self.turn(key, angles), value, seen, is_causal=is_causal
        )
        out: Tensor = self.out(packing.pack(mixed.transpose(1, 2).flatten(2)))
        return out


class SequenceTransformer(nn.Module):
    """Words to features of a start token and of each symbol.

    The condition is added to the start token, which all tokens see, and modulates each layer.

    Args:
        n_symbols: size of the alphabet.
        condition_width: C, may be 0.
        width: D, a multiple of twice `heads`.
        layers: number of layers.
        heads: attention heads.
        dropout: probability, after attention and feed-forward.
        positions: a name in `POSITIONS`: "rotary" turns queries and keys, "sinusoidal" adds waves to the
            embeddings.

    Raises:
        ConfigError: a width that does not fit the heads, or an unknown name of positions.
    """

    def __init__(
        self,
        n_symbols: int,
        condition_width: int,
        width: int = 128,
        layers: int = 4,
        heads: int = 4,
        dropout: float = 0.0,
        positions: str = "rotary",
    ) -> None:
        super().__init__()
        if width % (2 * heads):
            raise ConfigError(f"network width is {width}; it must be a multiple of 2 * heads = {2 * heads}")
        if positions not in POSITIONS:
            raise ConfigError(f"positions is '{positions}'; it must be one of {', '.join(POSITIONS)}")
        self.width = width
        self.positions = POSITIONS[positions]
        self.embed_symbol = nn.Embedding(n_symbols + 1, width)
        self.embed_condition = nn.Linear(condition_width, width) if condition_width else None
        self.layers = nn.ModuleList(
            Block(PlacedAttention(width, heads, self.positions.turn), width, dropout, condition_width)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, token: Tensor, length: Tensor, encoding: Tensor, is_causal: bool) -> Tensor:
        """Features float [B, L + 1, D], the start token first; zeros behind the end.

        Args:
            token: int64 [B, L], numbers of the symbols from 1; 0 behind the end.
            length: int64 [B].
            encoding: float [B, C] of the condition.
            is_causal: whether a token sees only itself and those before it. Then the features at place t are
                those of the last symbol of the prefix of t symbols, whatever comes behind.
        """
        longest = int(length.max()) if len(length) else 0
        exists = torch.arange(longest + 1, device=length.device) <= length[:, None]
        packing = Packing.of(exists)
        grid = self.embed_symbol(pad(token[:, :longest], (1, 0)))
        if self.embed_condition is not None:
            start = grid[:, :1] + self.embed_condition(encoding)[:, None]
            grid = torch.cat([start, grid[:, 1:]], dim=1)
        tokens = packing.pack(self.positions.mark(grid, wave_angles(longest + 1, self.width, grid)))
        for layer in self.layers:
            tokens = layer(tokens, packing, encoding, is_causal)
        return pad(packing.pad(self.norm(tokens)), (0, 0, 0, token.shape[1] - longest))
