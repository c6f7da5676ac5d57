"""What is worth making: the section [reward]."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from fluvial.config.diversity import DiversityConfig
from fluvial.config.filters import FilterConfig
from fluvial.config.section import Problem, Section
from fluvial.config.terms import PropertyTermConfig, TermConfig


def _default_terms() -> tuple[PropertyTermConfig, ...]:
    return PropertyTermConfig(name="qed", kind="qed"), PropertyTermConfig(name="sa", kind="sa")


class RewardConfig(Section):
    """The reward: terms, each transformed to a score, combined to one number above 0."""

    combine: Literal["product", "geometric_mean", "arithmetic_mean", "weighted_sum", "chebyshev"] = Field(
        default="product",
        description="How the scores become one reward. A product is high only if every term is.",
    )
    floor: float = Field(
        default=1e-4,
        gt=0,
        lt=1,
        description="Smallest reward, also that of refused molecules. As in recursion's sEH task; never 0, "
        "for the log of a reward is learned.",
    )
    workers: int = Field(
        default=0, ge=0, le=1024, description="Processes that compute rewards; 0 = in the training process."
    )
    timeout_seconds: float | None = Field(
        default=None,
        gt=0,
        description="Longest time for one batch, in seconds; needs workers. No limit where left out.",
        examples=[60.0],
    )
    term: Annotated[tuple[TermConfig, ...], Field(strict=False)] = Field(
        default_factory=_default_terms,
        min_length=1,
        description="The parts of the reward, one [[reward.term]] each. The default is drug-likeness and "
        "ease of synthesis.",
    )
    filter: Annotated[tuple[FilterConfig, ...], Field(strict=False)] = Field(
        default=(),
        description="Conditions, one [[reward.filter]] each. A molecule that fails one gets the floor "
        "and costs nothing.",
    )

    diversity: DiversityConfig = Field(
        default=None,
        description="Lowers the reward of molecules like many before. It changes the target: what is drawn "
        "is no longer in proportion to R^beta. None where left out.",
    )

    def contradictions(self) -> Iterator[Problem]:
        """Names of terms are columns of results, and a time limit needs a process that can be ended."""
        counts = Counter(term.name for term in self.term)
        for index, term in enumerate(self.term):
            if counts[term.name] > 1 and term.name in [earlier.name for earlier in self.term[:index]]:
                yield f"term.{index}.name", "must differ from the names of the terms before it"
        for index, term in enumerate(self.term):
            if term.max_calls is not None and not term.queued:
                yield f"term.{index}.max_calls", "must be left out unless queued = true"
        if self.timeout_seconds is not None and self.workers == 0:
            yield (
                "timeout_seconds",
                "must be left out unless reward.workers is at least 1; only processes can be ended",
            )
