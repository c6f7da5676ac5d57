"""What the run store takes in and gives back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

STATUSES = ("ok", "filtered", "failed", "invalid")
"""How the scoring of an object ended; the first two have a reward."""
UNANSWERED = "unanswered"
"""The tool failed in a way that may pass. Such an object is not recorded, so that it is asked about again."""
PENDING = "pending"
"""Asked for, and not answered yet. Not recorded either."""
REWARDED = ("ok", "filtered")


@dataclass(frozen=True)
class ScoredObject:
    """One object and what scoring said of it.

    Raises:
        ValueError: the status is unknown, or a finite reward is missing, superfluous or not finite.
    """

    text: str
    """Canonical text (canonical SMILES for molecules)."""
    reward: float | None
    """Finite exactly if the status is 'ok' or 'filtered', else None; never 0 for a failure."""
    status: str = "ok"
    """One of `STATUSES`, or `UNANSWERED`, or `PENDING`."""
    reason: str = ""
    """Empty, or why the object was filtered or failed."""
    properties: Mapping[str, float | None] = field(default_factory=dict)
    """Raw values by name, before any transform; None (or a value that is not finite) where missing."""

    def __post_init__(self) -> None:
        if self.status not in (*STATUSES, UNANSWERED, PENDING):
            raise ValueError(
                f"status of {self.text!r} is {self.status!r}, expected one of {', '.join(STATUSES)}"
            )
        if self.status in REWARDED and (self.reward is None or not math.isfinite(self.reward)):
            raise ValueError(
                f"{self.text!r} has status {self.status!r} and needs a finite reward, not {self.reward}"
            )
        if self.status not in REWARDED and self.reward is not None:
            raise ValueError(
                f"{self.text!r} has status {self.status!r} and must not have reward {self.reward}"
            )


@dataclass(frozen=True, slots=True)
class Candidate:
    """One object of the store with everything recorded of it."""

    id: int
    text: str
    reward: float | None
    status: str
    reason: str
    properties: dict[str, float | None]
    """Raw values by name; None where missing."""
    times_sampled: int
    """How often the object was sampled over all recorded steps."""
    first_step: int
    """Step in which the object was first recorded."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One object that one step sampled, once or several times, under one condition."""

    step: int
    text: str
    reward: float | None
    status: str
    condition: Mapping[str, float | None]
    """What was asked for, by name; empty where that was not recorded."""
    count: int
    """How often."""
    policy_version: int | None = None
    """Updates that the policy which made it had seen; None where that was not recorded."""
