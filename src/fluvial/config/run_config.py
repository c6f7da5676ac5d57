"""The whole of a run's configuration, checked: `RunConfig` and its sections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from fluvial.config.algo import AlgoConfig
from fluvial.config.chemistry import property_texts
from fluvial.config.condition import ConditionConfig, unfit_for_terms
from fluvial.config.data import DataConfig
from fluvial.config.evaluate import EvaluateConfig
from fluvial.config.learning import OptimizerConfig, ReplayConfig
from fluvial.config.networks import PolicyConfig
from fluvial.config.objectives import ONLY_ITS_OWN, POLICY_GRADIENTS, WITH_LOG_Z
from fluvial.config.problem import EnvConfig
from fluvial.config.queue import QueueConfig
from fluvial.config.reward import RewardConfig
from fluvial.config.screen import ScreenConfig
from fluvial.config.section import Problem, Section, filled, matching
from fluvial.config.synthesis import SynthesisConfig
from fluvial.config.words import SequencesConfig

POLICIES = {
    "fragments": ("graph-transformer", "uniform"),
    "atoms": ("graph-transformer", "uniform"),
    "synthesis": ("mlp", "graph-transformer", "uniform"),
    "hypergrid": ("mlp", "tabular", "uniform"),
    "graph": ("graph-transformer", "uniform"),
    "sequence": ("sequence-transformer", "mlp", "uniform"),
    "set": ("mlp", "uniform"),
}
"""Policies that fit each environment; the first one is the default."""

RECORDED_SYNTHESIS = "synthesis, recorded"
"""Syntheses whose ways back are not searched."""

DEFAULTS: dict[str, dict[str, dict[str, Any]]] = {
    "fragments": {"reward": {}},
    "atoms": {"reward": {}},
    "synthesis": {"reward": {}},
    RECORDED_SYNTHESIS: {
        "reward": {},
        "algo": {"backward": {"kind": "tlm"}},
        "replay": {"paths": "stored"},
    },
    "hypergrid": {"condition": {"beta": 1.0}},
    "graph": {"condition": {"beta": 1.0}},
    "sequence": {"condition": {"beta": 1.0}},
    "set": {"condition": {"beta": 1.0}},
}
"""Defaults that depend on the kind of environment."""

MOLECULAR = ("fragments", "atoms", "synthesis")
"""Environments of molecules, whose texts are SMILES."""

OWN_REWARD = ("hypergrid", "graph")
"""Environments whose reward is chosen in [env]."""

TEXTS = {"sequence": "words", "set": "sets"}
"""Environments of other texts than SMILES, and what these are called."""

RECORDED = ("learned", "tlm", "pessimistic")
"""Backward policies that ask for the probability of ways that were gone, and for nothing else."""

MAX_TABULAR_CELLS = 1_000_000
"""Largest table of a tabular policy, in grid cells. Arbitrary: about 100 MB with Adam's averages."""

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
        yield from self._unfit_conditions()
        yield from self._unfit_replay()
        yield from self._unfit_data()
        yield from self._unfit_policy()
        yield from self._unfit_queue()
        yield from self._unfit_screen()
        if self.env.kind in OWN_REWARD and self.reward is not None:
            yield "reward", f"must be left out for env.kind = '{self.env.kind}', which has its own reward"
        if isinstance(self.env, SequencesConfig):
            yield from self._unfit_words(self.env)
        if self.env.kind == "set" and self.reward is None:
            yield "reward", "must be given for env.kind = 'set', with a term of kind = 'function'"
        if self.reward is not None and self.env.kind in TEXTS:
            yield from _unfit_for_texts(self.reward, TEXTS[self.env.kind])
        if isinstance(self.env, SynthesisConfig):
            yield from self._unfit_syntheses(self.env)

    def _unfit_syntheses(self, env: SynthesisConfig) -> Iterator[Problem]:
        backward, way_back = self.algo.backward.kind, "for env.parents = 'recorded', which cannot go back"
        if env.parents == "searched" and self.algo.backward.learns:
            yield "algo.backward", "must not learn for env.parents = 'searched', where P_B is uniform"
        if env.parents == "recorded":
            if backward not in RECORDED:
                yield "algo.backward", f"must be {' or '.join(map(repr, RECORDED))} {way_back}"
            if self.replay.fraction > 0 and self.replay.paths != "stored":
                yield "replay.paths", f"must be 'stored' {way_back}"
            if self.algo.local_search.rounds:
                yield "algo.local_search.rounds", f"must be 0 {way_back}"
            if self.evaluate.every and self.evaluate.objects:
                yield "evaluate.objects", f"must be 0 {way_back}"

    def _unfit_words(self, env: SequencesConfig) -> Iterator[Problem]:
        if env.order == "append" and self.algo.backward.learns:
            sentence = "for env.order = 'append', where each word has one way back and nothing can be learned"
            yield "algo.backward", f"must be 'uniform' {sentence}"
        if (self.reward is not None) != (env.reward == "terms"):
            yield "reward", "must be given for env.reward = 'terms', and left out otherwise"

    def _unfit_conditions(self) -> Iterator[Problem]:
        repeats, is_constant = self.algo.repeats, not self.condition.varies
        objective = self.algo.objective.kind
        if objective in ("vargrad", "reinforce") and repeats == 1 and not is_constant:
            sentence = "unless [condition] is the same for all or algo.repeats at least 2"
            yield (
                "algo.objective",
                f"must not be '{objective}' {sentence}; it compares trajectories of one condition",
            )
        if self.algo.log_z.kind == "scalar" and not is_constant:
            yield "algo.log_z", "must not be 'scalar' unless [condition] is the same for all; Z depends on it"
        if self.condition.log_z is not None:
            if objective not in WITH_LOG_Z:
                sentence = f"for algo.objective = '{objective}', which reads none"
                yield "condition.log_z", f"must be left out {sentence}"
            if self.algo.log_z != type(self.algo).model_fields["log_z"].default:
                yield "algo.log_z", "must be left out beside condition.log_z, which takes its place"
        yield from self._unfit_terms()
        if self.n_replayed % repeats:
            sentence = f"must divide the {self.n_replayed} replayed trajectories"
            yield "algo.repeats", f"{sentence} that replay.fraction = {self.replay.fraction:g} gives"

    def _unfit_terms(self) -> Iterator[Problem]:
        terms = None if self.reward is None else self.reward.term
        yield from unfit_for_terms(self.condition, terms)
        named = [term.name for term in terms or ()]
        known = [*named, *(property_texts() if self.is_molecular else ())]
        for index, target in enumerate(self.condition.target if terms else ()):
            if target.property not in known:
                sentence = f"must be one of {', '.join(known)}"
                yield f"condition.target.{index}.property", sentence

    def _unfit_replay(self) -> Iterator[Problem]:
        replay, objective = self.replay, self.algo.objective.kind
        if replay.fraction > 0 and self.n_replayed == 0:
            sentence = f"must be 0, or large enough to replay one trajectory beside {self.algo.batch}"
            yield "replay.fraction", sentence
        if replay.fraction > 0 and objective in POLICY_GRADIENTS:
            yield "replay.fraction", f"must be 0 for algo.objective = '{objective}', {ONLY_ITS_OWN}"
        condition = self.condition
        if replay.hindsight > 0 and condition.focus is None and not condition.target:
            yield "replay.hindsight", "must be 0 unless there is a condition.focus or target to miss"
        if replay.hindsight > 0 and self.algo.repeats > 1:
            yield "replay.hindsight", "must be 0 unless algo.repeats = 1, whose groups it would split"
        if self.reward is not None and self.reward.diversity is not None:
            if not self.is_molecular:
                yield (
                    "reward.diversity",
                    f"must be left out for env.kind = '{self.env.kind}'; it needs molecules",
                )
            if self.algo.forward_looking:
                yield "reward.diversity", "must be left out beside algo.forward_looking"
        if self.algo.backward.kind == "pessimistic":
            sentence = "for algo.backward = 'pessimistic', which learns from stored paths"
            if replay.paths != "stored":
                yield "replay.paths", f"must be 'stored' {sentence}"
            if replay.fraction == 0:
                yield "replay.fraction", f"must be more than 0 {sentence}"

    def _unfit_data(self) -> Iterator[Problem]:
        if self.data is None:
            return
        objective = self.algo.objective.kind
        if objective in POLICY_GRADIENTS:
            yield "data", f"must be left out for algo.objective = '{objective}', {ONLY_ITS_OWN}"
        if self.data.reward is not None and (self.condition.weighs_terms or self.condition.target):
            sentence = "which weigh each term; the objects are scored on the way"
            yield "data.reward", f"must be left out beside condition.preference, focus or target, {sentence}"
        if self.data.per_step % self.algo.repeats:
            yield "data.per_step", f"must be a multiple of algo.repeats = {self.algo.repeats}"

    def _unfit_screen(self) -> Iterator[Problem]:
        if self.screen.share < 1 and not self.is_molecular:
            yield (
                "screen.share",
                "must be 1 unless objects are molecules, whose fingerprints a surrogate reads",
            )

    def _unfit_queue(self) -> Iterator[Problem]:
        queue, algo = self.queue, self.algo
        if not self.queued_terms:
            for name, field in type(queue).model_fields.items():
                if getattr(queue, name) != field.default:
                    sentence = "must be left out unless a reward.term has queued = true"
                    yield f"queue.{name}", sentence
            return
        if queue.when_full == "train_on" and self.n_replayed == 0:
            yield "queue.when_full", "must be 'wait' for replay.fraction = 0, which leaves nothing to learn"
        if queue.when_full == "train_on" and queue.most_waiting < algo.batch:
            sentence = f"must be at least algo.batch = {algo.batch} for when_full = 'train_on'"
            yield "queue.most_waiting", sentence
        at_once = {
            "algo.local_search": algo.local_search.rounds > 0,
            "algo.forward_looking": algo.forward_looking,
            f"algo.objective = '{algo.objective.kind}'": algo.objective.kind in POLICY_GRADIENTS,
        }
        for name in [name for name, is_used in at_once.items() if is_used and queue.most_waiting > 0]:
            yield "queue.most_waiting", f"must be 0 beside {name}, which needs each reward in its own step"

    def _unfit_policy(self) -> Iterator[Problem]:
        allowed, backward = POLICIES[self.env.kind], self.algo.backward
        if self.policy.kind == "uniform" and backward.learns:
            fixed = "'uniform', 'maxent_exact', 'gsql_exact' or 'none'"
            sentence = f"must be {fixed} for policy.kind = 'uniform', which has nothing to learn"
            yield "algo.backward", sentence
        if self.algo.objective.kind == "envelope_q":
            if not self.condition.preference_varies:
                sentence = "must be drawn or seeded for algo.objective = 'envelope_q', which tries many"
                yield "condition.preference", sentence
            if self.policy.kind == "tabular":
                yield (
                    "policy.kind",
                    "must not be 'tabular' for algo.objective = 'envelope_q', a network a term",
                )
        if self.policy.kind == "uniform" and self.algo.objective.kind != "tb":
            yield "algo.objective", "must be 'tb' for policy.kind = 'uniform', of which only log Z learns"
        if self.policy.kind not in allowed:
            names = " or ".join(f"'{kind}'" for kind in allowed)
            yield "policy.kind", f"must be {names} for env.kind = '{self.env.kind}'"
        if self.policy.kind == "tabular":
            yield from self._unfit_for_table()

    def _unfit_for_table(self) -> Iterator[Problem]:
        if getattr(self.algo.backward, "trunk", "shared") == "separate":
            sentence = "must be left out for policy.kind = 'tabular', which has no features to share"
            yield "algo.backward.trunk", sentence
        if self.env.kind == "hypergrid" and self.env.n_points > MAX_TABULAR_CELLS:
            sentence = f"must be 'mlp' for {self.env.n_points} cells; a table holds {MAX_TABULAR_CELLS}"
            yield "policy.kind", sentence
        if self.condition.varies:
            yield "policy.kind", "must be 'mlp' unless [condition] is the same for all; a table cannot see it"


def _unfit_for_texts(reward: RewardConfig, texts: str) -> Iterator[Problem]:
    if any(term.kind not in ("function", "oracle") for term in reward.term):
        kinds = "kind = 'function' or 'oracle'"
        yield "reward.term", f"must all be of {kinds} for {texts}; the others need molecules"
    if reward.filter:
        yield "reward.filter", f"must be left out for {texts}; filters need molecules"


def _below(given: Any, defaults: dict[str, Any]) -> Any:
    if given is None:
        return defaults
    return {**defaults, **given} if isinstance(given, dict) else given
