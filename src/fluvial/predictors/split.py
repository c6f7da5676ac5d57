"""What of the examples is learned from, and what is kept for later."""

from __future__ import annotations

from dataclasses import dataclass

FEWEST = 10
"""Examples below which nothing can be said about unseen ones; arbitrary."""


@dataclass(frozen=True)
class Split:
    """Places of the examples."""

    train: tuple[int, ...]
    choose: tuple[int, ...]
    """Their error decides which epoch is kept, or how sure predictions are."""
    held_out: tuple[int, ...]
