"""How sharp a target is: the table [condition.beta]."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from fluvial.config.section import Problem, Section, is_number

RANGES = ("uniform", "loguniform")
"""Laws with a least and a greatest beta that are as likely as others."""


class BetaConfig(Section):
    """How the exponent beta of the target R^beta is drawn for each trajectory."""

    distribution: Literal["constant", "uniform", "loguniform", "gamma", "beta"] = Field(
        default="constant",
        description="Law of beta. Every law but constant makes one network learn all its values.",
    )
    a: float = Field(
        default=32.0,
        gt=0,
        description="Constant: the value. Uniform, loguniform: the lower end. Gamma, beta: the shape.",
    )
    b: float | None = Field(
        default=None,
        gt=0,
        description="Uniform, loguniform: the upper end. Gamma: the scale. Beta: the second shape. "
        "Constant: none.",
        examples=[64.0],
    )
    bins: int = Field(
        default=32,
        ge=0,
        le=1024,
        description="Numbers that show beta to the network; 0 = one that grows with beta. 32 as usual, "
        "arbitrary.",
    )

    ends: float = Field(
        default=0.05,
        ge=0,
        lt=0.5,
        description="Uniform, loguniform: share of trajectories whose beta is each end itself. Without it "
        "the ends are learned from one side, with four times the error (measured on grids).",
    )

    @property
    def has_ends(self) -> bool:
        """Whether `ends` is of use."""
        return self.distribution in RANGES

    @property
    def numbers(self) -> tuple[float, ...]:
        """The parameters of the law, `a` and where it has two `b`."""
        return (self.a,) if self.b is None else (self.a, self.b)

    def contradictions(self) -> Iterator[Problem]:
        """`b` belongs to all laws but the constant one, and ranges must be in order."""
        if self.distribution not in RANGES and self.ends != type(self).model_fields["ends"].default:
            yield "ends", f"must be left out for distribution = '{self.distribution}', which has none"
        if self.distribution == "constant":
            if self.b is not None:
                yield "b", "must be left out for distribution = 'constant'"
        elif self.b is None:
            yield "b", f"must be given for distribution = '{self.distribution}'"
        elif self.distribution in RANGES and self.a >= self.b:
            yield "b", f"must be more than a = {self.a:g}"


def constant_beta(value: Any) -> Any:
    """A number as the table of a constant beta; anything else as it is.

    Raises:
        ValueError: it is neither number nor table, or not above 0.
    """
    if not is_number(value):
        return value
    if not 0 < value < math.inf:
        raise ValueError("must be a finite number more than 0")
    return {"distribution": "constant", "a": value}
