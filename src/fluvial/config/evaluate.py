"""What is measured while a run is going: the section [evaluate]."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from fluvial.config.section import Problem, Section


class EvaluateConfig(Section):
    """What is measured of the averaged policy on the way. It changes nothing of what is learned."""

    every: int = Field(
        default=0, ge=0, description="Steps between two evaluations, the last step counts too; 0 = none."
    )
    conditions: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="Conditions under which objects are drawn, always the same ones. 1 is the middle of what "
        "is learned, more are drawn as in training.",
    )
    repeats: int = Field(
        default=128, ge=2, le=1_000_000, description="Objects drawn under each condition. Jain et al. 2023."
    )
    objects: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Different objects whose log probability is estimated, for FCS; 0 = none.",
    )
    paths: int = Field(
        default=16, ge=2, le=100_000, description="Ways back from each of these objects. Arbitrary."
    )
    exact_states: int = Field(
        default=20_000,
        ge=0,
        le=10_000_000,
        description="Environments of up to so many states are evaluated exactly; 0 = none. Takes seconds.",
    )

    def contradictions(self) -> Iterator[Problem]:
        """Numbers without evaluations would be ignored."""
        if self.every == 0:
            for name, field in type(self).model_fields.items():
                if name != "every" and getattr(self, name) != field.default:
                    yield name, "must be left out unless evaluate.every is more than 0"
