"""The policies that take objects apart, and log Z: `algo.backward` and `algo.log_z`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from fluvial.config.section import KIND, NamedSection, Problem, by_name, matching

SOFT_Q = ("soft_q", "munchausen")
"""Kinds for which log P_B is a reward, and may be 0."""

UNREAD = "which reads no backward policy"

ONLY_BACKWARD = {
    "fm": (("uniform",), UNREAD),
    "rtb": (("uniform",), UNREAD),
    "a2c": (("uniform", "none"), UNREAD),
    "reinforce": (("uniform", "none"), UNREAD),
    "transition_db": (("uniform", "learned"), "which sees no whole paths"),
    "envelope_q": (("uniform",), UNREAD),
}
"""Objectives that take few kinds of backward policies: those kinds, and why."""

NEVER_BACKWARD = {
    "mdb": (("gsql", "gsql_exact"), "for which every object ends a path"),
    "soft_q": (("learned",), "whose errors do not teach it; 'tlm' and others have a loss of their own"),
    "munchausen": (("learned",), "whose errors do not teach it; 'tlm' and others have a loss of their own"),
}
"""Objectives that refuse some kinds of backward policies: those kinds, and why."""

Trunk = Annotated[
    Literal["shared", "separate"],
    Field(
        description="Whether it reads the features of the forward policy or has a network of its own. "
        "Shared costs half; arbitrary."
    ),
]
Weight = Annotated[
    float, Field(gt=0, description="Weight of its loss beside the main one. As much as that, arbitrary.")
]
PathRewardName = Annotated[
    str,
    AfterValidator(
        matching(
            r"short|cheap|[^\0]+\.py:[A-Za-z_]\w*",
            "must be 'short', 'cheap' or look like 'file.py:function'",
        )
    ),
]
NLoss = Annotated[
    Literal["transition", "subtb", "start", "term", "tb"],
    Field(
        description="What learned numbers of paths must agree on. Single transitions, all parts of a path "
        "(subtb), the parts from its start, the parts to its end (term), or the whole (tb). "
        "The default has no long sums; arbitrary."
    ),
]


class _BackwardConfig(NamedSection):
    """A policy that takes objects apart."""

    @property
    def learns(self) -> bool:
        """Whether it has weights."""
        return "trunk" in type(self).model_fields

    @property
    def counts(self) -> bool:
        """Whether it learns the number of paths to each state."""
        return "n_loss" in type(self).model_fields


class UniformBackwardConfig(_BackwardConfig):
    """Each way to take away the last action alike: one solution, nothing to tune."""

    kind: Literal["uniform"] = Field(description=KIND)


class LearnedBackwardConfig(_BackwardConfig):
    """Learned by the loss of the objective itself, free to find the easiest paths."""

    kind: Literal["learned"] = Field(description=KIND)
    trunk: Trunk = "shared"


class MaxentConfig(_BackwardConfig):
    """Each path to an object alike, with paths counted by a network.

    Mohammadpour et al. 2024, arXiv:2312.14331.
    """

    kind: Literal["maxent"] = Field(description=KIND)
    trunk: Trunk = "shared"
    n_loss: NLoss = "transition"
    weight: Weight = 1.0


class MaxentExactConfig(_BackwardConfig):
    """Each path to an object alike, where the environment can count paths.

    Mohammadpour et al. 2024.
    """

    kind: Literal["maxent_exact"] = Field(description=KIND)


class GsqlConfig(_BackwardConfig):
    """As maxent, but 1 / number of paths is charged once, at the end.

    Mohammadpour et al. 2024, arXiv:2312.14331.
    """

    kind: Literal["gsql"] = Field(description=KIND)
    trunk: Trunk = "shared"
    n_loss: NLoss = "transition"
    weight: Weight = 1.0


class GsqlExactConfig(_BackwardConfig):
    """As gsql, where the environment can count paths.

    Mohammadpour et al. 2024.
    """

    kind: Literal["gsql_exact"] = Field(description=KIND)


class TlmConfig(_BackwardConfig):
    """Trajectory likelihood: makes likely what the forward policy does.

    Gritsaev et al. 2025, arXiv:2410.15474.
    """

    kind: Literal["tlm"] = Field(description=KIND)
    trunk: Trunk = "shared"
    weight: Weight = 1.0


class PessimisticConfig(_BackwardConfig):
    """Makes likely the stored paths that found objects.

    Jang et al. 2024, arXiv:2405.16012.
    """

    kind: Literal["pessimistic"] = Field(description=KIND)
    trunk: Trunk = "shared"
    weight: Weight = 1.0


class ReinforceBackwardConfig(_BackwardConfig):
    """Learned from a reward of its own by policy gradients.

    Cretu et al. 2024, arXiv:2405.01155.
    """

    kind: Literal["reinforce"] = Field(description=KIND)
    trunk: Trunk = "shared"
    weight: Weight = 1.0
    reward: PathRewardName = Field(
        default="short",
        description="What a way back to the start is worth: few transitions (short), minus the log of what "
        "its blocks cost (cheap, of syntheses with prices), or a function of yours from trajectories "
        "to numbers, as file.py:name. Short needs nothing else.",
        examples=["short", "cheap", "paths.py:tidiness"],
    )
    entropy_weight: float = Field(
        default=0.0,
        ge=0,
        description="Reward that one nat of randomness is worth: P_B of a way goes to exp(reward / "
        "entropy_weight), over the ways to its object. With 0, the default, all goes to the best way, which "
        "P_F follows slowly.",
        examples=[1.0],
    )


class NoBackwardConfig(_BackwardConfig):
    """log P_B = 0, so that an object counts once for each of its paths: plain soft Q-learning."""

    kind: Literal["none"] = Field(description=KIND)


_Backward = Annotated[
    UniformBackwardConfig
    | LearnedBackwardConfig
    | MaxentConfig
    | MaxentExactConfig
    | GsqlConfig
    | GsqlExactConfig
    | TlmConfig
    | PessimisticConfig
    | ReinforceBackwardConfig
    | NoBackwardConfig,
    Field(discriminator="kind"),
]

BackwardConfig = Annotated[_Backward, by_name(_Backward, default="uniform")]


class _WeightedLogZConfig(NamedSection):
    """A log Z with weights of its own."""

    first_batch: bool = Field(
        default=True,
        description="Start where the first batch puts it. Measured: a slow log Z doubles the error at least.",
    )
    pull: float = Field(
        default=0.0,
        ge=0,
        description="Weight of its squared distance from where the first batch put it. Off by default.",
    )

    def contradictions(self) -> Iterator[Problem]:
        """The pull needs a place to pull to."""
        if self.pull > 0 and not self.first_batch:
            yield "pull", "must be 0 unless first_batch = true, which says where to"


class LearnedLogZConfig(_WeightedLogZConfig):
    """One number, or where conditions vary a network of the condition."""

    kind: Literal["learned"] = Field(description=KIND)


class ScalarLogZConfig(_WeightedLogZConfig):
    """One number, whatever the condition."""

    kind: Literal["scalar"] = Field(description=KIND)


class ImplicitLogZConfig(NamedSection):
    """The log flow of the initial state, as the policy gives it."""

    kind: Literal["implicit"] = Field(description=KIND)


_LogZ = Annotated[LearnedLogZConfig | ScalarLogZConfig | ImplicitLogZConfig, Field(discriminator="kind")]

LogZConfig = Annotated[_LogZ, by_name(_LogZ, default="learned")]


def unfit_backward(objective: str, backward: str) -> str | None:
    """The complaint about a backward policy that does not fit an objective; None if it does. Both by kind."""
    only, reason = ONLY_BACKWARD.get(objective, ((), ""))
    if only and backward not in only:
        return f"must be {' or '.join(map(repr, only))} for objective = '{objective}', {reason}"
    if not only and backward == "none" and objective not in SOFT_Q:
        names = " and ".join(map(repr, SOFT_Q))
        return f"must not be 'none' for objective = '{objective}'; {names} can do without one"
    never, reason = NEVER_BACKWARD.get(objective, ((), ""))
    if backward in never:
        return f"must not be '{backward}' for objective = '{objective}', {reason}"
    return None
