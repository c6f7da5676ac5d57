"""The state of the sequence environment."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from fluvial.core.batch import Batch


@dataclass(frozen=True)
class Tokens(Batch):
    """Words of at most L symbols."""

    token: Tensor
    """int16 [B, L], number of each symbol from 1; 0 behind the end, so that equal words are equal rows."""
    length: Tensor
    """int64 [B]."""
    is_done: Tensor
    """bool [B], whether the stop was taken."""
