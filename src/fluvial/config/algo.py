"""How it learns: the section [algo]."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from fluvial.config.backward import (
    BackwardConfig,
    LearnedLogZConfig,
    LogZConfig,
    UniformBackwardConfig,
    unfit_backward,
)
from fluvial.config.objectives import (
    BALANCES,
    ONLY_ITS_OWN,
    POLICY_GRADIENTS,
    WITH_LOG_Z,
    ObjectiveConfig,
    RegressionConfig,
    SquareConfig,
    TbConfig,
)
from fluvial.config.section import Problem, Section, is_number


class EpsilonConfig(Section):
    """A value that moves linearly from `start` at the first step to `end` at the last."""

    start: float = Field(
        default=0.05, ge=0, le=1, description="Share at the first step. Measured: rescues sparse rewards."
    )
    end: float = Field(
        default=0.01, ge=0, le=1, description="Share at stop.steps. Measured: costs at most 3 % of the modes."
    )


def _constant_epsilon(value: Any) -> Any:
    if not is_number(value):
        return value
    if not 0 <= value <= 1:
        raise ValueError("must be a number from 0 to 1")
    return {"start": value, "end": value}


class SourceWeightsConfig(Section):
    """How much a trajectory counts in the loss, by where it came from."""

    policy: float = Field(
        default=1.0, ge=0, description="Weight of trajectories of the acting policy. All alike by default."
    )
    replay: float = Field(
        default=1.0, ge=0, description="Weight of trajectories of stored objects. All alike by default."
    )
    data: float = Field(
        default=1.0, ge=0, description="Weight of trajectories of given objects. All alike by default."
    )
    local_search: float = Field(
        default=1.0, ge=0, description="Weight of trajectories of local search. All alike by default."
    )

    def contradictions(self) -> Iterator[Problem]:
        """Something must count."""
        if not any(self.parameters().values()):
            yield "policy", "must be more than 0, or another of the source weights"


class LocalSearchConfig(Section):
    """New objects near those just drawn: the last actions are undone and drawn again."""

    rounds: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="Tries for each trajectory in a step, each with a reward call; 0 = off. "
        "Off by default; Kim et al. 2024 (arXiv:2310.02710) use 7.",
    )
    back: int = Field(
        default=4,
        ge=1,
        le=10_000,
        description="Transitions undone in each try. Kim et al. 2024 undo half an object; 4 is arbitrary.",
    )
    accept: Literal["deterministic", "metropolis", "always"] = Field(
        default="deterministic",
        description="When the next try starts at the new object. If its target is not smaller "
        "(deterministic, the usual choice of Kim et al. 2024), with the probability of Metropolis and "
        "Hastings (metropolis), or always.",
    )


class AlgoConfig(Section):
    """The learning rule and how trajectories are drawn."""

    objective: ObjectiveConfig = Field(
        default=TbConfig(kind="tb"),
        description="The learning rule. Trajectory balance is the simplest; db and subtb are for long or "
        "sparse paths.",
    )
    backward: BackwardConfig = Field(
        default=UniformBackwardConfig(kind="uniform"),
        description="Policy that takes objects apart. Uniform is the default: one solution, nothing to tune.",
    )
    regression: RegressionConfig = Field(
        default=SquareConfig(kind="square"),
        description="What becomes of an error before the mean is taken. The square is what the papers use.",
    )
    log_z: LogZConfig = Field(
        default=LearnedLogZConfig(kind="learned"),
        description="Where tb and rtb have log Z from. Learned by itself as by Malkin et al. 2022.",
    )
    forward_looking: bool = Field(
        default=False,
        description="Learn flows relative to the reward of the object so far. Pan et al. 2023, "
        "arXiv:2302.01687. Off: it needs a reward call for each object on the way.",
    )
    length_normalise: bool = Field(
        default=False,
        description="Divide the loss of each trajectory by its number of transitions. "
        "Off, as in the papers: each trajectory counts alike.",
    )
    likelihood_weight: float = Field(
        default=0.0,
        ge=0,
        description="Weight of -log P_F of replayed and given trajectories beside the loss; 0 = off. "
        "Off by default: likelihood alone does not aim for the reward.",
    )
    source_weights: SourceWeightsConfig = Field(
        default=SourceWeightsConfig(),
        description="How much a trajectory counts in the loss, by where it came from. All alike by default.",
    )
    batch: int = Field(
        default=64,
        ge=1,
        le=65536,
        description="On-policy trajectories a step. The default is the usual one for molecules.",
    )
    repeats: int = Field(
        default=1,
        ge=1,
        le=65536,
        description="Trajectories for each condition that is drawn; it must divide the batch. "
        "1 shows the most conditions; vargrad compares trajectories of one condition, so it needs 2.",
    )
    epsilon: Annotated[
        EpsilonConfig,
        BeforeValidator(_constant_epsilon, json_schema_input_type=float | EpsilonConfig),
    ] = Field(
        default=EpsilonConfig(start=0.05, end=0.01),
        description="Share of uniformly random actions while exploring. "
        "A number, or {start, end} for a linear change over stop.steps.",
    )
    temperature: float = Field(
        default=1.0,
        gt=0,
        le=100,
        description="Temperature of the acting policy; above 1 is more random. "
        "No gain was measured, so it is 1.",
    )
    lag: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Memory per step of a lagged copy of the weights that acts in place of the current ones; "
        "0 = off. No gain was measured, so it is off.",
    )
    lag_share: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Share of the lagged policy in each action's distribution; the rest is the current one. "
        "1 = it acts alone, the usual case.",
    )
    local_search: LocalSearchConfig = Field(
        default=LocalSearchConfig(),
        description="New objects near those just drawn: the last actions are undone and drawn again. "
        "Off by default, for each try costs a reward call.",
    )

    def contradictions(self) -> Iterator[Problem]:
        """What the chosen objective would ignore or cannot do is refused."""
        yield from self._unfit_for_objective()
        if self.batch % self.repeats:
            yield "repeats", f"must divide batch = {self.batch}"
        if self.lag == 0 and self.lag_share != 1:
            yield "lag_share", "must be left out or 1 unless lag is more than 0"

    def _unfit_for_policy_gradient(self, kind: str) -> Iterator[Problem]:
        sentence = f"for objective = '{kind}', {ONLY_ITS_OWN}"
        if self.epsilon.start > 0 or self.epsilon.end > 0:
            yield "epsilon", f"must be 0 {sentence}"
        if self.temperature != 1:
            yield "temperature", f"must be 1 {sentence}"
        if self.lag > 0:
            yield "lag", f"must be 0 {sentence}"

    def _unfit_for_objective(self) -> Iterator[Problem]:
        kind = self.objective.kind
        backward = unfit_backward(kind, self.backward.kind)
        if backward is not None:
            yield "backward", backward
        if self.forward_looking and kind not in BALANCES:
            names = " or ".join(f"'{name}'" for name in BALANCES)
            yield "forward_looking", f"must be false unless objective = {names}"
        if kind not in WITH_LOG_Z and self.log_z != type(self).model_fields["log_z"].default:
            yield "log_z", f"must be left out for objective = '{kind}'; only 'tb' and 'rtb' read it"
        if kind == "transition_db" and self.likelihood_weight > 0:
            sentence = "for objective = 'transition_db', which looks at transitions and not at trajectories"
            yield "likelihood_weight", f"must be 0 {sentence}"
        if kind in POLICY_GRADIENTS and self.regression.kind != "square":
            yield "regression", f"must be left out for objective = '{kind}', which does not read it"
        if kind in POLICY_GRADIENTS:
            yield from self._unfit_for_policy_gradient(kind)
        if kind in POLICY_GRADIENTS and self.local_search.rounds > 0:
            yield "local_search.rounds", f"must be 0 for objective = '{kind}', {ONLY_ITS_OWN}"
