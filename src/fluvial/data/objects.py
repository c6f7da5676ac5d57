"""Objects given as text into terminal states of an environment, with a report of what could be made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

import torch
from torch import Tensor

from fluvial.core.environment import Environment, Found, S
from fluvial.data.tally import N_EXAMPLES, shortened

TEXTS_AT_ONCE = 1024
"""Texts that an environment searches in one call; bounds memory."""

IN_WORDS: dict[Found, str] = {
    Found.ONE: "made in one way",
    Found.SEVERAL: "made in several ways, the first of which is taken",
    Found.NONE: "cannot be made in this environment",
    Found.GAVE_UP: "not found before the search was given up",
    Found.INVALID: "cannot be read as objects",
}
"""How each end of a search is told."""
USABLE = (Found.ONE, Found.SEVERAL)


@dataclass(frozen=True)
class EncodingReport:
    """How the search for the states of some texts ended."""

    counts: Mapping[Found, int]
    """How many texts ended so; all outcomes are there."""
    examples: Mapping[Found, tuple[str, ...]]
    """The first texts of each outcome, a few."""

    @property
    def n_texts(self) -> int:
        """All texts."""
        return sum(self.counts.values())

    @property
    def n_usable(self) -> int:
        """Those for which there is a state."""
        return sum(self.counts[outcome] for outcome in USABLE)

    def lines(self) -> list[str]:
        """The report for people, one line for each outcome that occurred; examples of what was not made."""
        return [self._line(outcome) for outcome in Found if self.counts[outcome]]

    def _line(self, outcome: Found) -> str:
        line = f"{self.counts[outcome]} of {self.n_texts} texts {IN_WORDS[outcome]}"
        return line if outcome == Found.ONE else f"{line}, such as {', '.join(self.examples[outcome])}"


@dataclass(frozen=True)
class EncodedObjects(Generic[S]):
    """The terminal states of those texts that an environment can make."""

    states: S
    """[M, ...]."""
    rows: Tensor
    """int64 [M], ascending positions of their texts."""
    report: EncodingReport


def encoded(
    env: Environment[S],
    texts: Sequence[str],
    n_examples: int = N_EXAMPLES,
    texts_at_once: int = TEXTS_AT_ONCE,
) -> EncodedObjects[S]:
    """Terminal states of the texts that `env` can make, and how many it cannot and why.

    Args:
        env: where the objects are to be made.
        texts: objects, in any way of writing that the environment reads.
        n_examples: texts to show of each outcome.
        texts_at_once: length of the batches.
    """
    states, rows = [env.initial(0)], [torch.zeros(0, dtype=torch.int64)]
    reports = [encoding_report([], [], n_examples)]
    for start in range(0, len(texts), texts_at_once):
        part = texts[start : start + texts_at_once]
        result = env.encode(part)
        found = result.found.tolist()
        usable = torch.tensor([place for place, outcome in enumerate(found) if outcome in USABLE])
        usable = usable.to(torch.int64)
        states.append(result.states[usable])
        rows.append(usable + start)
        reports.append(encoding_report(part, found, n_examples))
    return EncodedObjects(type(states[0]).cat(states), torch.cat(rows), joined(reports, n_examples))


def encoding_report(texts: Sequence[str], found: Sequence[int], n_examples: int) -> EncodingReport:
    """The report on texts whose searches ended as in `found`, values of `Found`."""
    texts_of: dict[Found, list[str]] = {outcome: [] for outcome in Found}
    for text, outcome in zip(texts, found, strict=True):
        texts_of[Found(outcome)].append(text)
    return EncodingReport(
        {outcome: len(own) for outcome, own in texts_of.items()},
        {outcome: tuple(map(shortened, own[:n_examples])) for outcome, own in texts_of.items()},
    )


def joined(reports: Sequence[EncodingReport], n_examples: int = N_EXAMPLES) -> EncodingReport:
    """One report on what several report on."""
    return EncodingReport(
        {outcome: sum(report.counts[outcome] for report in reports) for outcome in Found},
        {
            outcome: tuple(text for report in reports for text in report.examples[outcome])[:n_examples]
            for outcome in Found
        },
    )
