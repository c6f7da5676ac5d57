"""What a reward says of a batch of objects. Free of torch, so that reward workers start fast."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Outcome(IntEnum):
    """How the scoring of one object ended."""

    VALUE = 0
    """A finite reward."""
    FILTERED = 1
    """A filter rejected the object: the reward is the floor, costly terms were skipped."""
    INVALID = 2
    """The object itself is not a legal input (an unparsable SMILES). There is no reward."""
    FAILED_FOR_NOW = 3
    """The tool failed in a way that may pass (time-out, lost process). There is no reward yet."""
    FAILED = 4
    """The tool failed for good on this object. There is no reward; it is never 0."""
    PENDING = 5
    """Asked for, and not answered yet. There is no reward so far."""


@dataclass(frozen=True)
class RewardBatch:
    """Rewards of B objects with K terms each.

    A row has a finite reward exactly if its outcome is VALUE or FILTERED.
    """

    reward: NDArray[np.float64]
    """[B], >= 0; nan where there is none."""
    values: NDArray[np.float64]
    """[B, K], transformed terms in [0, inf); nan where missing."""
    raw: dict[str, NDArray[np.float64]]
    """Name of a term or of a further property to its values before any transform, [B]; nan where missing."""
    outcome: NDArray[np.int8]
    """[B], values of `Outcome`."""
    info: list[str]
    """[B], empty, or the reason why a row was filtered or failed."""

    def __len__(self) -> int:
        return len(self.outcome)
