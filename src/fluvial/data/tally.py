"""Counts of what could not be used, by reason, with a few examples of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

N_EXAMPLES = 5
LONGEST_EXAMPLE = 80  # characters


@dataclass(frozen=True)
class Reason:
    """Why some rows were left out."""

    what: str
    count: int
    examples: tuple[str, ...]
    """The first few, each with its place."""

    def __str__(self) -> str:
        return f"{self.count} {self.what} (such as {'; '.join(self.examples)})"


class Tally:
    """Counts rows as they go by; `reasons` says at any time what was wrong so far.

    Args:
        n_examples: kept of each reason.
    """

    def __init__(self, n_examples: int = N_EXAMPLES) -> None:
        self.n_examples = n_examples
        self.n_rows = 0
        self._count: dict[str, int] = {}
        self._examples: dict[str, list[str]] = {}

    def add(self, what: str = "", example: str = "") -> None:
        """Count one row: a good one, or a bad one of the kind `what` with what shows it."""
        self.n_rows += 1
        if what:
            self._count[what] = self._count.get(what, 0) + 1
            kept = self._examples.setdefault(what, [])
            if len(kept) < self.n_examples:
                kept.append(shortened(example))

    @property
    def n_bad(self) -> int:
        """Rows that were of no use."""
        return sum(self._count.values())

    def reasons(self) -> tuple[Reason, ...]:
        """The kinds of bad rows, the most frequent first."""
        ordered = sorted(self._count, key=lambda what: (-self._count[what], what))
        return tuple(Reason(what, self._count[what], tuple(self._examples[what])) for what in ordered)


def shortened(text: str) -> str:
    """The text, cut where it is too long for a message."""
    return text if len(text) <= LONGEST_EXAMPLE else f"{text[:LONGEST_EXAMPLE]}…"


def in_words(reasons: Sequence[Reason]) -> str:
    """The reasons in one line."""
    return "; ".join(map(str, reasons))
