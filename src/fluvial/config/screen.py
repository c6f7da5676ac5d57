"""Which new molecules a reward is asked about at all: the section [screen]."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from fluvial.config.section import Problem, Section


class ScreenConfig(Section):
    """A surrogate, fitted to the rewards so far, that looks at new molecules before a slow reward does."""

    share: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Share of the new molecules of a batch whose reward is asked for, the most promising "
        "ones; the others are not learned from. 1 = all, no surrogate.",
    )
    start: int = Field(
        default=300, ge=20, description="Rewards that are known before anything is screened. Arbitrary."
    )
    growth: float = Field(
        default=1.5,
        gt=1,
        le=100,
        description="A new surrogate is fitted when so many times as many rewards are known. Arbitrary.",
    )
    optimism: float = Field(
        default=1.0,
        ge=0,
        le=10,
        description="Standard errors added to predictions, so that the unknown is tried more often. Usual.",
    )
    explore: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Share of the new molecules that pass whatever is predicted. Arbitrary.",
    )
    trees: int = Field(default=100, ge=2, le=10_000, description="Trees of the surrogate. The usual number.")

    def contradictions(self) -> Iterator[Problem]:
        """Without a surrogate the other keys would be ignored."""
        for name, field in type(self).model_fields.items():
            if self.share == 1.0 and name != "share" and getattr(self, name) != field.default:
                yield name, "must be left out unless screen.share is below 1"
