"""The orders in which words grow.

A site is where one action puts a symbol and one backward action takes it away again. Where several sites make
the same word (an "a" beside an "a"), only the first of them may be used, forward and backward, so that no two
actions lead from one word to the same other and no symmetry is left to correct.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad


@dataclass(frozen=True)
class Order:
    """What may be put and taken where; `token` is int16 [B, L], `length` int64 [B], S the number of sites."""

    n_sites: Callable[[int], int]
    """S for the greatest length L."""
    places: Callable[[Tensor, int], Tensor]
    """places(length, L), int64 [B, S]: where the symbol of each site stands in a word of `length` symbols,
    the symbol included; outside the word where there is no such site."""
    can_put: Callable[[Tensor, Tensor], Tensor]
    """can_put(token, length), bool [B, S]: sites of a word that is not full."""
    repeated: Callable[[Tensor, Tensor], Tensor]
    """repeated(token, length), int16 [B, S]: the symbol that an earlier site puts to the same effect; 0 where
    there is none."""
    can_take: Callable[[Tensor, Tensor], Tensor]
    """can_take(token, length), bool [B, S]: sites of which no earlier one leaves the same word."""
    is_append_only: bool = False
    """Whether words grow at their end only, so that all earlier words are prefixes."""


def _last(length: Tensor, longest: int) -> Tensor:
    return length[:, None] - 1


def _anywhere(token: Tensor, length: Tensor) -> Tensor:
    return torch.ones_like(length, dtype=torch.bool)[:, None]


def _nothing(token: Tensor, length: Tensor) -> Tensor:
    return torch.zeros_like(token[:, :1])


def _not_empty(token: Tensor, length: Tensor) -> Tensor:
    return length[:, None] > 0


APPEND = Order(lambda longest: 1, _last, _anywhere, _nothing, _not_empty, is_append_only=True)
"""One site: the end."""


def _last_and_first(length: Tensor, longest: int) -> Tensor:
    return torch.stack([length - 1, torch.zeros_like(length)], dim=1)


def _end_and_start(token: Tensor, length: Tensor) -> Tensor:
    return torch.stack([torch.ones_like(length, dtype=torch.bool), length > 0], dim=1)


def _is_uniform(token: Tensor) -> Tensor:
    """Whether all symbols are the same, bool [B]."""
    # A sum of bools takes a fifth of the time of `all`.
    return ((token == token[:, :1]) | (token == 0)).sum(dim=1) == token.shape[1]


def _uniform_symbol(token: Tensor, length: Tensor) -> Tensor:
    first = torch.where(_is_uniform(token), token[:, 0], 0)
    return torch.stack([torch.zeros_like(first), first], dim=1)


def _last_or_different_first(token: Tensor, length: Tensor) -> Tensor:
    return torch.stack([length > 0, ~_is_uniform(token)], dim=1)


BOTH_ENDS = Order(
    lambda longest: 2, _last_and_first, _end_and_start, _uniform_symbol, _last_or_different_first
)
"""Two sites: the end and the start. A word of one symbol repeated grows and shrinks at its end only."""


def _every_place(length: Tensor, longest: int) -> Tensor:
    return torch.arange(longest, device=length.device).expand(len(length), -1)


def _up_to_the_end(token: Tensor, length: Tensor) -> Tensor:
    return _every_place(length, token.shape[1]) <= length[:, None]


def _left_neighbour(token: Tensor, length: Tensor) -> Tensor:
    return pad(token, (1, -1))


def _starts_of_runs(token: Tensor, length: Tensor) -> Tensor:
    return (token != _left_neighbour(token, length)) & (token != 0)


INSERT = Order(lambda longest: longest, _every_place, _up_to_the_end, _left_neighbour, _starts_of_runs)
"""One site for each place, before the symbol that stands there: a run of one symbol grows and shrinks at its
start only."""

ORDERS: dict[str, Order] = {"append": APPEND, "both_ends": BOTH_ENDS, "insert": INSERT}
"""The orders by name."""
