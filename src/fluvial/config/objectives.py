"""The learning rules and what becomes of their errors: `algo.objective` and `algo.regression`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from fluvial.config.section import KIND, NamedSection, Problem, Text, by_name

BALANCES = ("tb", "vargrad", "db", "subtb")
"""Kinds whose equations can hold the rewards of objects on the way."""

WITH_LOG_Z = ("tb", "rtb")
"""Kinds that read log Z by itself."""

POLICY_GRADIENTS = ("a2c", "reinforce")
"""Kinds that learn only from what the current policy draws."""

ONLY_ITS_OWN = "which learns only from what the policy itself draws"
"""Why they refuse other trajectories."""


Smoothing = Annotated[
    float | None,
    Field(
        description="Log of a flow that is added to both sides, so that errors of smaller flows do not "
        "count. Nothing is added where it is left out, which is exact.",
        examples=[-10.0],
    ),
]


class TbConfig(NamedSection):
    """Trajectory balance: one equation for each trajectory, with log Z.

    Malkin et al. 2022, arXiv:2201.13259.
    """

    kind: Literal["tb"] = Field(description=KIND)
    smoothing: Smoothing = None


class VargradConfig(NamedSection):
    """Log-partition variance: tb without log Z, from trajectories of one condition.

    Zhang et al. 2023, arXiv:2302.05446.
    """

    kind: Literal["vargrad"] = Field(description=KIND)


class DbConfig(NamedSection):
    """Detailed balance: one equation for each transition, with flows.

    Bengio et al. 2023, arXiv:2111.09266.
    """

    kind: Literal["db"] = Field(description=KIND)


class SubtbConfig(NamedSection):
    """Sub-trajectory balance: one equation for each part of a trajectory.

    Madan et al. 2023, arXiv:2209.12782.
    """

    kind: Literal["subtb"] = Field(description=KIND)
    decay: float = Field(
        default=0.9,
        gt=0,
        le=1,
        description="Weight of a part beside one that is a transition shorter; 1 = all parts alike. "
        "0.9 lies between db and tb; arbitrary.",
    )


class TransitionDbConfig(NamedSection):
    """Detailed balance on single transitions that are drawn from the batch.

    Bengio et al. 2023, arXiv:2111.09266.
    """

    kind: Literal["transition_db"] = Field(description=KIND)
    transitions: int = Field(
        default=256,
        ge=1,
        le=10_000_000,
        description="Transitions drawn in each step. Four for each of 64 trajectories, arbitrary.",
    )


class MdbConfig(NamedSection):
    """Modified detailed balance: rewards take the place of flows, for objects on the way are objects too.

    It needs the reward of each object on the way, wherever stop is legal.
    Deleu et al. 2022, arXiv:2202.13903.
    """

    kind: Literal["mdb"] = Field(description=KIND)


class FmConfig(NamedSection):
    """Flow matching: what flows into a state flows out of it.

    Bengio et al. 2021, arXiv:2106.04399.
    """

    kind: Literal["fm"] = Field(description=KIND)
    balanced: bool = Field(
        default=False,
        description="Take the mean over objects and the mean over other states apart, so that neither drowns "
        "the other. Off: one mean over all states.",
    )
    leaf_weight: float = Field(
        default=10.0,
        gt=0,
        description="Weight of the mean over objects where balanced. As in Bengio et al. 2021.",
    )
    smoothing: Smoothing = None

    def contradictions(self) -> Iterator[Problem]:
        """Without two means there is nothing to weigh."""
        if not self.balanced and self.leaf_weight != type(self).model_fields["leaf_weight"].default:
            yield "leaf_weight", "must be left out unless balanced = true; only then is it used"


class RtbConfig(NamedSection):
    """Relative trajectory balance: the policy of a finished run, times the reward.

    Venkatraman et al. 2024, arXiv:2405.20971.
    """

    kind: Literal["rtb"] = Field(description=KIND)
    prior: Text = Field(
        description="Folder of a finished run, whose policy is the prior. "
        "A relative path starts at this file's folder.",
        examples=["runs/prior"],
    )


class A2cConfig(NamedSection):
    """Advantage actor-critic: makes the reward large, not proportional.

    Mnih et al. 2016, arXiv:1602.01783.
    """

    kind: Literal["a2c"] = Field(description=KIND)
    entropy_weight: float = Field(
        default=0.01, ge=0, description="Reward for each nat of entropy. From Mnih et al. 2016."
    )


class ReinforceConfig(NamedSection):
    """The plain policy gradient: makes the reward large, not proportional.

    Williams 1992.
    """

    kind: Literal["reinforce"] = Field(description=KIND)
    entropy_weight: float = Field(
        default=0.0, ge=0, description="Reward for each nat of entropy. Off, as in Williams 1992."
    )


class SoftQConfig(NamedSection):
    """Soft Q-learning, with log P_B as the reward of a transition.

    Tiapkin et al. 2024, arXiv:2310.12934.
    """

    kind: Literal["soft_q"] = Field(description=KIND)


class MunchausenConfig(NamedSection):
    """Soft Q-learning with a target network and a bonus for actions it likes; without bonus, soft DQN.

    Vieillard et al. 2020, arXiv:2007.14430; Tiapkin et al. 2024, arXiv:2310.12934.
    """

    kind: Literal["munchausen"] = Field(description=KIND)
    munchausen: float = Field(
        default=0.15,
        ge=0,
        lt=1,
        description="Share of an action's log probability that is added to its reward; 0 = soft DQN. "
        "From Tiapkin et al. 2024; Vieillard et al. 2020 take 0.9 for games.",
    )
    floor: float = Field(
        default=-100.0,
        lt=0,
        description="Smallest log probability that is added. "
        "The default is so low that it only stops outliers; arbitrary.",
    )
    target_decay: float = Field(
        default=0.95,
        ge=0,
        lt=1,
        description="Memory of the target network per step. 0.95 looks back about 20 steps; arbitrary.",
    )

    def contradictions(self) -> Iterator[Problem]:
        """Without a bonus nothing meets the floor."""
        if self.munchausen == 0 and self.floor != type(self).model_fields["floor"].default:
            yield "floor", "must be left out for munchausen = 0, which adds nothing"


class EnvelopeQConfig(NamedSection):
    """Envelope Q-learning: the best trade-off for each preference, not in proportion.

    It needs a preference that varies, and has a network for each reward term.
    Yang et al. 2019, arXiv:1908.08342.
    """

    kind: Literal["envelope_q"] = Field(description=KIND)
    n_preferences: int = Field(
        default=32, ge=1, le=10_000, description="Preferences tried in each next state. Arbitrary."
    )
    decay: float = Field(
        default=10_000.0,
        gt=0,
        description="Steps after which half of the loss is of the weighted sum of the terms, and not of each "
        "term. Arbitrary.",
    )


_Objective = Annotated[
    TbConfig
    | VargradConfig
    | DbConfig
    | SubtbConfig
    | TransitionDbConfig
    | MdbConfig
    | FmConfig
    | RtbConfig
    | A2cConfig
    | ReinforceConfig
    | SoftQConfig
    | MunchausenConfig
    | EnvelopeQConfig,
    Field(discriminator="kind"),
]

ObjectiveConfig = Annotated[_Objective, by_name(_Objective, default="tb")]


class SquareConfig(NamedSection):
    """The square."""

    kind: Literal["square"] = Field(description=KIND)


class AbsoluteConfig(NamedSection):
    """The absolute value."""

    kind: Literal["absolute"] = Field(description=KIND)


class HuberConfig(NamedSection):
    """Half the square of small errors, and a line for large ones."""

    kind: Literal["huber"] = Field(description=KIND)
    delta: float = Field(
        default=1.0, gt=0, description="Error from which it is a line, in nats. The usual number, arbitrary."
    )


class LogCoshConfig(NamedSection):
    """The log of the hyperbolic cosine: as huber, without a corner."""

    kind: Literal["log_cosh"] = Field(description=KIND)
    scale: float = Field(
        default=1.0,
        gt=0,
        description="Factor of the error in it; a larger one comes closer to the absolute value. "
        "The usual number, arbitrary.",
    )


_Regression = Annotated[
    SquareConfig | AbsoluteConfig | HuberConfig | LogCoshConfig, Field(discriminator="kind")
]

RegressionConfig = Annotated[_Regression, by_name(_Regression, default="square")]
