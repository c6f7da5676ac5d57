"""Sets of items of a list: env.kind = 'set'."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from fluvial.config.section import KIND, Problem, Section, Text

Item = Annotated[Text, Field(max_length=100)]


class SetsConfig(Section):
    """Sets of items of a list, chosen in any order: panels, mixtures, selections of features."""

    kind: Literal["set"] = Field(description=KIND)
    items: Annotated[tuple[Item, ...], Field(strict=False, min_length=1, max_length=10_000)] = Field(
        description="Names of the items, all different and without commas. A set is written as names with "
        "commas between, in this order.",
        examples=[["salt", "sugar", "oil"]],
    )
    max_size: int | None = Field(
        default=None, ge=1, description="Most items of a set. As many as there are where left out."
    )
    min_size: int = Field(
        default=1, ge=0, description="Fewest items of a set; 0 makes the empty set an object. A toy's."
    )

    def contradictions(self) -> Iterator[Problem]:
        """Sizes in order, and each item once."""
        most = len(self.items) if self.max_size is None else self.max_size
        if most > len(self.items):
            yield "max_size", f"must be at most {len(self.items)}, the number of items"
        if self.min_size > most:
            yield "min_size", f"must be at most max_size = {most}"
        for index, name in enumerate(self.items):
            if "," in name or name in self.items[:index]:
                yield f"items.{index}", "must have no comma, and differ from those before it"
