"""How a raw value becomes a score: the `transform` of a reward term."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from fluvial.config.section import KIND, Problem, Section, order

LOW = "Lower end of the range, in the unit of the property."
HIGH = "Upper end of the range, in the unit of the property."


class _RangeConfig(Section):
    """A range in the unit of the property."""

    low: float = Field(description=LOW, examples=[2.0])
    high: float = Field(description=HIGH, examples=[5.0])

    def contradictions(self) -> Iterator[Problem]:
        """The ends must be in order."""
        yield from order(self.low, self.high)


class SigmoidConfig(_RangeConfig):
    """Rises smoothly from 0 below `low` to 1 above `high`."""

    kind: Literal["sigmoid"] = Field(description=KIND)
    k: float = Field(default=0.5, gt=0, description="Steepness. As in the examples of REINVENT 4.")


class ReverseSigmoidConfig(_RangeConfig):
    """Falls smoothly from 1 below `low` to 0 above `high`."""

    kind: Literal["reverse_sigmoid"] = Field(description=KIND)
    k: float = Field(default=0.5, gt=0, description="Steepness. As in the examples of REINVENT 4.")


class DoubleSigmoidConfig(_RangeConfig):
    """Near 1 between `low` and `high`, falling smoothly on both sides."""

    kind: Literal["double_sigmoid"] = Field(description=KIND)
    coef_div: float = Field(default=100.0, gt=0, description="Divisor of both slopes. As in REINVENT 4.")
    coef_si: float = Field(default=150.0, gt=0, description="Steepness at low. As in REINVENT 4.")
    coef_se: float = Field(default=150.0, gt=0, description="Steepness at high. As in REINVENT 4.")


class StepConfig(_RangeConfig):
    """1 between `low` and `high`, else 0."""

    kind: Literal["step"] = Field(description=KIND)


class LinearConfig(_RangeConfig):
    """0 at `low`, 1 at `high`, straight between, flat outside."""

    kind: Literal["linear"] = Field(description=KIND)


class ReverseLinearConfig(_RangeConfig):
    """1 at `low`, 0 at `high`, straight between, flat outside."""

    kind: Literal["reverse_linear"] = Field(description=KIND)


class ClipConfig(_RangeConfig):
    """The value itself, kept between `low` and `high`."""

    kind: Literal["clip"] = Field(description=KIND)
    low: float = Field(ge=0, description=LOW, examples=[0.0])


class LeftStepConfig(Section):
    """1 up to `low`, else 0."""

    kind: Literal["left_step"] = Field(description=KIND)
    low: float = Field(description="Largest value that gets 1, in the unit of the property.", examples=[5.0])


class RightStepConfig(Section):
    """1 from `high` on, else 0."""

    kind: Literal["right_step"] = Field(description=KIND)
    high: float = Field(
        description="Smallest value that gets 1, in the unit of the property.", examples=[5.0]
    )


class ExponentialDecayConfig(Section):
    """exp(-k x) for x above 0, else 1."""

    kind: Literal["exponential_decay"] = Field(description=KIND)
    k: float = Field(gt=0, description="Rate, per unit of the property.", examples=[0.5])


class DivideConfig(Section):
    """The value divided by a number; 0 where it is negative."""

    kind: Literal["divide"] = Field(description=KIND)
    by: float = Field(gt=0, description="Divisor, in the unit of the property.", examples=[8.0])


class ValueMappingConfig(Section):
    """A score for each of a few values."""

    kind: Literal["value_mapping"] = Field(description=KIND)
    mapping: dict[str, float] = Field(
        min_length=1,
        description="Value, a number in quotes, to score of at least 0.",
        examples=[{"0": 1.0, "1": 0.5}],
    )

    def contradictions(self) -> Iterator[Problem]:
        """Values are numbers, and no score is negative."""
        odd = [key for key in self.mapping if not _is_finite_number(key)]
        if odd:
            yield "mapping", f"must map numbers; {odd[0]!r} is none"
        if min(self.mapping.values()) < 0:
            yield "mapping", f"must map to at least 0; {min(self.mapping.values()):g} is negative"


def _is_finite_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


class IdentityConfig(Section):
    """The value itself."""

    kind: Literal["identity"] = Field(description=KIND)


TransformConfig = Annotated[
    SigmoidConfig
    | ReverseSigmoidConfig
    | DoubleSigmoidConfig
    | LeftStepConfig
    | RightStepConfig
    | StepConfig
    | ExponentialDecayConfig
    | ValueMappingConfig
    | LinearConfig
    | ReverseLinearConfig
    | ClipConfig
    | DivideConfig
    | IdentityConfig,
    Field(discriminator="kind"),
]
