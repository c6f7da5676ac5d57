"""What a molecule must pass to be measured at all: [[reward.filter]]."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from fluvial.config.chemistry import AlertSet, PropertyName, Smarts
from fluvial.config.section import KIND, Problem, Section, Text, order


class AlertsFilterConfig(Section):
    """Refuses molecules that contain a known structural alert."""

    kind: Literal["alerts"] = Field(description=KIND)
    sets: Annotated[tuple[AlertSet, ...], Field(strict=False)] = Field(
        default=("PAINS", "BRENK"),
        min_length=1,
        description="Names of RDKit's alert catalogues, as PAINS, BRENK, NIH, ZINC, CHEMBL. "
        "The default is the two that are best known.",
    )


class RangeFilterConfig(Section):
    """Refuses molecules with a property outside a range."""

    kind: Literal["range"] = Field(description=KIND)
    property: PropertyName = Field(description="Name of the property.", examples=["mw"])
    low: float | None = Field(
        default=None, description="Smallest allowed value, in the property's unit.", examples=[200.0]
    )
    high: float | None = Field(
        default=None, description="Largest allowed value, in the property's unit.", examples=[500.0]
    )

    def contradictions(self) -> Iterator[Problem]:
        """A range needs an end, and its ends must be in order."""
        if self.low is None and self.high is None:
            yield "low", "must be given, or high, or both"
        yield from order(self.low, self.high, equal=True)


class SmartsFilterConfig(Section):
    """Refuses molecules that contain a pattern."""

    kind: Literal["smarts"] = Field(description=KIND)
    smarts: Smarts = Field(description="SMARTS of the unwanted pattern.", examples=["[N+](=O)[O-]"])
    name: Text | None = Field(
        default=None,
        description="Reason shown for refused molecules. The SMARTS where it is left out.",
        examples=["nitro"],
    )


class RuleFilterConfig(Section):
    """Refuses molecules that break a rule of thumb, such as the rule of five."""

    kind: Literal["rule"] = Field(description=KIND)
    rule: Literal["lipinski", "veber", "egan", "ghose", "muegge", "lead_like", "rule_of_three"] = Field(
        default="lipinski", description="Name of the rule. The default is the rule of five."
    )
    violations: int | None = Field(
        default=None,
        ge=0,
        le=20,
        description="Limits of the rule that may be broken. Where left out: 1 for lipinski, else 0.",
        examples=[0],
    )


class LillyFilterConfig(Section):
    """Refuses molecules with more than 100 demerits of Lilly's medicinal chemistry rules."""

    kind: Literal["lilly"] = Field(description=KIND)
    program: Text = Field(
        default="Lilly_Medchem_Rules.rb",
        description="Name or path of the external program, which must be installed. Its authors' name.",
    )


FilterConfig = Annotated[
    AlertsFilterConfig | RangeFilterConfig | SmartsFilterConfig | RuleFilterConfig | LillyFilterConfig,
    Field(discriminator="kind"),
]
