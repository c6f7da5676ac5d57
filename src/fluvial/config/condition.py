"""What each trajectory is asked to aim for: the section [condition]."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from fluvial.config.beta import BetaConfig, constant_beta
from fluvial.config.section import KIND, NamedSection, Problem, Section, Text, by_name, order

Share = Annotated[float, Field(ge=0, le=1e6)]
TermShares = dict[str, Share]
"""Name of a reward term to a number, at least 0; terms left out have 0."""

MAX_DIRECTIONS = 1_000_000
"""Largest grid whose outer faces a learned focus has a table of. Arbitrary: some 10 MB at four terms."""

Scalarisation = Literal["weighted_sum", "weighted_product", "chebyshev"]


class _PreferenceConfig(NamedSection):
    """Weights of the reward terms, and how the weighted terms become one reward."""

    scalarisation: Scalarisation = Field(
        default="weighted_sum",
        description="How weighted terms become one reward. The sum of w v, the product of v^w, or chebyshev, "
        "1 - max (w / max w) (1 - v), the worst term in its weight.",
    )


class NoPreferenceConfig(_PreferenceConfig):
    """The weights of the terms over their sum, the same for all: by weighted_sum their weighted mean."""

    kind: Literal["none"] = Field(description=KIND)


class _DrawnPreferenceConfig(_PreferenceConfig):
    """Weights that are drawn for each trajectory."""

    concentration: float = Field(
        default=1.5,
        gt=0,
        le=1e6,
        description="Of the Dirichlet distribution. 1 is uniform, less prefers one term, more prefers equal "
        "weights. 1.5 as usual (Jain et al. 2023).",
    )
    bins: int = Field(
        default=0,
        ge=0,
        le=256,
        description="Numbers that show each weight to the network; 0 = the weights themselves.",
    )


class DirichletConfig(_DrawnPreferenceConfig):
    """Weights of a Dirichlet distribution."""

    kind: Literal["dirichlet"] = Field(description=KIND)


class DirichletExponentialConfig(_DrawnPreferenceConfig):
    """Weights of Dir(a b), with a drawn of a Dirichlet and b of an exponential distribution: more corners."""

    kind: Literal["dirichlet_exponential"] = Field(description=KIND)


class FixedPreferenceConfig(_PreferenceConfig):
    """The same given weights for all trajectories."""

    kind: Literal["fixed"] = Field(description=KIND)
    weights: TermShares = Field(
        min_length=1,
        description="Weight of each reward term by name, brought to a sum of 1; 0 for those left out.",
        examples=[{"qed": 0.7, "sa": 0.3}],
    )


class SeededPreferenceConfig(_DrawnPreferenceConfig):
    """One of n weights that are drawn once, by a seed of their own."""

    kind: Literal["seeded"] = Field(description=KIND)
    n: int = Field(default=1, ge=1, le=100_000, description="Number of weights. 1 = always the same.")
    seed: int = Field(default=0, ge=0, le=2**63 - 1, description="What the weights are drawn by. Arbitrary.")


PREFERENCES = Annotated[
    NoPreferenceConfig
    | DirichletConfig
    | DirichletExponentialConfig
    | FixedPreferenceConfig
    | SeededPreferenceConfig,
    Field(discriminator="kind"),
]
PreferenceConfig = Annotated[PREFERENCES | None, by_name(PREFERENCES, "dirichlet")]


class _FocusConfig(NamedSection):
    """Regions in the space of the reward terms: a direction for each trajectory, and a cone around it."""

    cosine: float = Field(
        default=0.98,
        gt=0,
        lt=1,
        description="An object is in the region if the cosine between its terms and the direction is at "
        "least this. Roy et al. 2023.",
    )
    coefficient: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="Factor of the reward at the rim of the region; 1 at its centre. Roy et al. 2023.",
    )
    outside: float = Field(
        default=-75.0,
        lt=0,
        ge=-1e6,
        description="Log target of objects outside of their region, and its least value. The usual one.",
    )
    bins: int = Field(
        default=0,
        ge=0,
        le=256,
        description="Numbers that show each coordinate to the network; 0 = the coordinates themselves.",
    )


class CenteredFocusConfig(_FocusConfig):
    """The direction of equal terms, the same for all."""

    kind: Literal["centered"] = Field(description=KIND)


class PartitionedFocusConfig(_FocusConfig):
    """One of n directions that divide the space evenly, as k-means finds them."""

    kind: Literal["partitioned"] = Field(description=KIND)
    n: int = Field(default=15, ge=1, le=1000, description="Number of directions. The usual one.")
    seed: int = Field(default=0, ge=0, le=2**63 - 1, description="What k-means starts by. Arbitrary.")


class DirichletFocusConfig(_FocusConfig):
    """Directions of a Dirichlet distribution."""

    kind: Literal["dirichlet"] = Field(description=KIND)
    concentration: float = Field(
        default=1.0, gt=0, le=1e6, description="Of the Dirichlet distribution; 1 is uniform on the simplex."
    )


class SphereFocusConfig(_FocusConfig):
    """Directions that are uniform on the sphere."""

    kind: Literal["hyperspherical"] = Field(description=KIND)


class ListedFocusConfig(_FocusConfig):
    """One of given directions."""

    kind: Literal["listed"] = Field(description=KIND)
    directions: Annotated[tuple[TermShares, ...], Field(strict=False)] = Field(
        min_length=1,
        max_length=10_000,
        description="Directions, each a number for each reward term by name; 0 for those left out. Only the "
        "ratios count.",
        examples=[[{"qed": 0.6, "sa": 0.8}, {"qed": 1.0}]],
    )


class LearnedFocusConfig(_FocusConfig):
    """Directions of a table, rarely those that were asked for and that no object was ever near."""

    kind: Literal["learned"] = Field(description=KIND)
    resolution: int = Field(
        default=30,
        ge=2,
        le=1000,
        description="Points along each edge of the cube whose outer faces are the table. Roy et al. 2023.",
    )
    first: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="Share of stop.steps after which the table is used; before, all directions alike. "
        "Roy et al. 2023.",
    )
    last: float = Field(
        default=0.75,
        ge=0,
        le=1,
        description="Share of stop.steps after which it stays as it is. Roy et al. 2023.",
    )

    def contradictions(self) -> Iterator[Problem]:
        """What is learned must be used."""
        if self.first > self.last:
            yield "last", f"must be at least first = {self.first:g}"


FOCUSES = Annotated[
    CenteredFocusConfig
    | PartitionedFocusConfig
    | DirichletFocusConfig
    | SphereFocusConfig
    | ListedFocusConfig
    | LearnedFocusConfig,
    Field(discriminator="kind"),
]
FocusConfig = Annotated[FOCUSES | None, by_name(FOCUSES, "hyperspherical")]


class TargetConfig(Section):
    """A raw property that each trajectory has a value to aim for, drawn uniformly from a range."""

    property: Text = Field(
        description="Name of a reward term, whose raw value counts, or of a built-in property.",
        examples=["mw"],
    )
    low: float = Field(description="Lower end, in the property's unit.", examples=[200.0])
    high: float = Field(description="Upper end, in the property's unit.", examples=[500.0])
    width: float = Field(
        gt=0,
        description="The reward is multiplied by exp(-((value - asked) / width)^2 / 2). In its unit.",
        examples=[25.0],
    )
    bins: int = Field(
        default=16, ge=0, le=256, description="Numbers that show it to the network; 0 = one. Arbitrary."
    )

    def contradictions(self) -> Iterator[Problem]:
        """The ends must be in order."""
        yield from order(self.low, self.high)


class AskedLogZConfig(Section):
    """Values of log Z that trajectories are told, in place of a learned one."""

    low: float = Field(description="Lower end.", examples=[0.0])
    high: float = Field(description="Upper end.", examples=[20.0])
    bins: int = Field(
        default=16, ge=0, le=256, description="Numbers that show it to the network; 0 = one. Arbitrary."
    )

    def contradictions(self) -> Iterator[Problem]:
        """The ends must be in order."""
        yield from order(self.low, self.high)


class ConditionConfig(Section):
    """What each trajectory is asked to aim for."""

    beta: Annotated[BetaConfig, BeforeValidator(constant_beta, json_schema_input_type=float | BetaConfig)] = (
        Field(
            default=BetaConfig(distribution="constant", a=32.0),
            description="Sharpness: objects are drawn in proportion to R^beta. A number, or a table "
            "{distribution, a, b}. 32 for molecules (usual, arbitrary); "
            "1 for the hypergrid and for graphs, where R itself is the known target.",
        )
    )
    preference: PreferenceConfig = Field(
        default=None,
        description="Weights of the reward terms. One reward, that of reward.combine, where left out.",
    )
    focus: FocusConfig = Field(
        default=None,
        description="Regions in the space of the reward terms to aim for. None where left out.",
    )
    target: Annotated[tuple[TargetConfig, ...], Field(strict=False)] = Field(
        default=(), description="Properties that are to have an asked value, one [[condition.target]] each."
    )
    log_z: AskedLogZConfig | None = Field(
        default=None,
        description="Tells the policy a log Z, {low, high}, instead of learning it. Learned where left out.",
    )

    @property
    def weighs_terms(self) -> bool:
        """Whether the reward is made of the terms anew for each trajectory."""
        return self.preference is not None or self.focus is not None

    @property
    def preference_varies(self) -> bool:
        """Whether trajectories are given different weights of the reward terms."""
        if isinstance(self.preference, SeededPreferenceConfig):
            return self.preference.n > 1
        return not isinstance(self.preference, NoPreferenceConfig | FixedPreferenceConfig | None)

    @property
    def varies(self) -> bool:
        """Whether trajectories are asked for different things."""
        focus = self.focus
        is_one = isinstance(focus, CenteredFocusConfig | None)
        is_one = is_one or (isinstance(focus, ListedFocusConfig) and len(focus.directions) == 1)
        is_one = is_one or (isinstance(focus, PartitionedFocusConfig) and focus.n == 1)
        return (
            self.beta.distribution != "constant"
            or self.preference_varies
            or not is_one
            or bool(self.target)
            or self.log_z is not None
        )

    def contradictions(self) -> Iterator[Problem]:
        """Each property has one target."""
        names = [target.property for target in self.target]
        for index, name in enumerate(names):
            if name in names[:index]:
                yield f"target.{index}.property", "must differ from those of the targets before it"


def unfit_for_terms(condition: ConditionConfig, terms: Sequence[Any] | None) -> Iterator[Problem]:
    """What of [condition] does not fit the terms of the reward; None where the environment has its own."""
    preference, focus = condition.preference, condition.focus
    for key, section in (("preference", preference), ("focus", focus)):
        if section is not None and (terms is None or len(terms) < 2):
            yield f"condition.{key}", "must be left out unless [reward] has at least two terms to weigh"
    if condition.target and terms is None:
        yield "condition.target", "must be left out where env has its own reward, without named properties"
    names = [term.name for term in terms or ()]
    if isinstance(preference, FixedPreferenceConfig):
        yield from _unknown_names("condition.preference.weights", preference.weights, names)
    if isinstance(focus, ListedFocusConfig):
        for index, direction in enumerate(focus.directions):
            yield from _unknown_names(f"condition.focus.directions.{index}", direction, names)
    if isinstance(preference, DirichletConfig | DirichletExponentialConfig | SeededPreferenceConfig):
        yield from _weighed_twice(terms or (), "which are drawn")
    if isinstance(preference, FixedPreferenceConfig):
        yield from _weighed_twice(terms or (), "which are given")
    if isinstance(focus, LearnedFocusConfig) and focus.resolution ** len(names) > MAX_DIRECTIONS:
        most = int(MAX_DIRECTIONS ** (1 / len(names)) + 1e-9)
        yield "condition.focus.resolution", f"must be at most {most} for {len(names)} reward terms"


def _weighed_twice(terms: Sequence[Any], how: str) -> Iterator[Problem]:
    for index, term in enumerate(terms):
        if term.weight != 1.0:
            sentence = f"must be left out beside the weights of condition.preference, {how}"
            yield f"reward.term.{index}.weight", sentence


def _unknown_names(key: str, given: TermShares, names: Sequence[str]) -> Iterator[Problem]:
    for name in given:
        if name not in names:
            yield key, f"must have names of reward terms ({', '.join(names)}), not '{name}'"
    if sum(given.values()) <= 0.0:
        yield key, "must have a number more than 0"
