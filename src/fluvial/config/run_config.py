"""The whole of a run's configuration, checked: `RunConfig` and its sections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from fluvial.config.agreement import disagreements
from fluvial.config.algo import AlgoConfig
from fluvial.config.condition import ConditionConfig
from fluvial.config.data import DataConfig
from fluvial.config.evaluate import EvaluateConfig
from fluvial.config.kinds import DEFAULTS, MOLECULAR, POLICIES, RECORDED_SYNTHESIS
from fluvial.config.learning import OptimizerConfig, ReplayConfig
from fluvial.config.networks import PolicyConfig
from fluvial.config.problem import EnvConfig
from fluvial.config.queue import QueueConfig
from fluvial.config.reward import RewardConfig
from fluvial.config.screen import ScreenConfig
from fluvial.config.section import Problem, Section, filled, matching

Name = Annotated[
    str,
    AfterValidator(
        matching(
            r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}",
            "must be 1 to 100 letters, digits, - and _, not starting with -",
        )
    ),
]
Device = Annotated[
    str, AfterValidator(matching(r"auto|cpu|cuda(:\d{1,3})?", "must be 'auto', 'cpu', 'cuda' or 'cuda:N'"))
]
Folder = Annotated[
    str,
    AfterValidator(
        matching(r"(?=.*\S)([^{}\0]|\{name\})+", "must be a path, in which {name} is the only word in braces")
    ),
]


class StopConfig(Section):
    """When training ends; the first limit that is met counts."""

    steps: int = Field(
        default=1000, ge=1, description="Training steps. The default takes minutes on a CPU; arbitrary."
    )
    minutes: float | None = Field(
        default=None, gt=0, description="Longest time, in minutes. No limit where left out.", examples=[60.0]
    )


class LogConfig(Section):
    """What is written down on the way."""

    every: int = Field(default=10, ge=1, description="Steps between two lines of metrics. Arbitrary.")
    checkpoint_every: int = Field(
        default=100, ge=1, description="Steps between two checkpoints. At most these are lost."
    )
    keep: int = Field(
        default=3,
        ge=1,
        le=1000,
        description="Number of latest checkpoints kept. One spare for a damaged one.",
    )
    tensorboard: bool = Field(
        default=False, description="Write TensorBoard files too. Needs the extra 'tensorboard'."
    )
    wandb: bool = Field(
        default=False,
        description="Send metrics to Weights & Biases too, or keep them to be sent later where there is no "
        "network. Needs the extra 'wandb'.",
    )


class RunConfig(Section):
    """Everything that defines a run."""

    format: Literal[1] = Field(default=1, description="Version of this file's layout. There is only one.")
    name: Name = Field(default="design", description="Name of the run. It names the folder of results.")
    seed: int = Field(
        default=0, ge=0, le=2**63 - 1, description="Seed of every random number. 0 is arbitrary."
    )
    device: Device = Field(
        default="auto",
        description="Where to compute: auto, cpu, cuda or cuda:N. Auto takes a GPU if there is one.",
    )
    out: Folder = Field(
        default="runs/{name}",
        description="Folder of the results. A relative path starts at this file's folder.",
    )
    threads: int = Field(
        default=0,
        ge=0,
        le=4096,
        description="Threads for arithmetic; 0 = one below a width of 256, else torch's own choice.",
    )
    env: EnvConfig = Field(description="What is built.")
    policy: PolicyConfig = Field(
        description="The network. Where left out: mlp for the hypergrid, sets and syntheses, "
        "sequence-transformer for sequences, else graph-transformer.",
        json_schema_extra=filled("by env.kind"),
    )
    algo: AlgoConfig = Field(
        default=AlgoConfig(), description="The learning rule and how trajectories are drawn."
    )
    optimizer: OptimizerConfig = Field(
        default=OptimizerConfig(), description="How gradients change the weights."
    )
    replay: ReplayConfig = Field(
        default=ReplayConfig(), description="Objects seen before, learned from again."
    )
    data: DataConfig | None = Field(
        default=None,
        description="Given objects that are learned from too. None where left out.",
    )
    condition: ConditionConfig = Field(
        default=ConditionConfig(), description="What each trajectory is asked to aim for."
    )
    reward: RewardConfig | None = Field(
        default=None,
        description="What is worth making. Where left out: qed and sa for molecules; "
        "the hypergrid and graphs have their own, and sequences too unless env.reward = 'terms'.",
        json_schema_extra=filled("by env.kind"),
    )
    screen: ScreenConfig = Field(
        default_factory=ScreenConfig, description="A surrogate before a slow reward."
    )
    queue: QueueConfig = Field(
        default=QueueConfig(), description="Where queued reward terms are answered, and what is waited for."
    )
    stop: StopConfig = Field(default=StopConfig(), description="When training ends.")
    log: LogConfig = Field(default=LogConfig(), description="What is written down on the way.")
    evaluate: EvaluateConfig = Field(
        default=EvaluateConfig(),
        description="What is measured on the way; it changes nothing that is learned.",
    )

    @property
    def is_molecular(self) -> bool:
        """Whether the objects are molecules."""
        return self.env.kind in MOLECULAR

    @property
    def goes_back(self) -> bool:
        """Whether ways back from any object can be found; else only those that were gone are known."""
        return getattr(self.env, "parents", "") != "recorded"

    @property
    def term_names(self) -> list[str]:
        """Names of the reward terms, in order; none where the environment has its own reward."""
        return [] if self.reward is None else [term.name for term in self.reward.term]

    @property
    def run_folder(self) -> str:
        """`out` with the name filled in; relative to the folder of the configuration file."""
        return self.out.replace("{name}", self.name)

    @property
    def n_replayed(self) -> int:
        """Replayed trajectories in a step: with them, replay has its `fraction` of the whole."""
        return round(self.algo.batch * self.replay.fraction / (1.0 - self.replay.fraction))

    @property
    def queued_terms(self) -> tuple[Any, ...]:
        """The reward terms that workers answer."""
        return tuple(term for term in self.reward.term if term.queued) if self.reward is not None else ()

    @model_validator(mode="before")
    @classmethod
    def _fill_by_env(cls, data: Any) -> Any:
        """Add the defaults that depend on the kind of environment, below everything that is given."""
        if not isinstance(data, dict):
            return data
        env = data.get("env")
        kind = env.get("kind") if isinstance(env, dict) else getattr(env, "kind", None)
        if not isinstance(kind, str) or kind not in POLICIES:
            return data
        parents = env.get("parents") if isinstance(env, dict) else getattr(env, "parents", None)
        case = RECORDED_SYNTHESIS if kind == "synthesis" and parents != "searched" else kind
        defaults = {"policy": {"kind": POLICIES[kind][0]}, **DEFAULTS[case]}
        return {**data, **{key: _below(data.get(key), value) for key, value in defaults.items()}}

    def contradictions(self) -> Iterator[Problem]:
        """The sections must fit the environment and each other."""
        yield from disagreements(self)


def _below(given: Any, defaults: dict[str, Any]) -> Any:
    if given is None:
        return defaults
    return {**defaults, **given} if isinstance(given, dict) else given
