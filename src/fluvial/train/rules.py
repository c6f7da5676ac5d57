"""From a checked configuration to the policy, the learning rule and the learner."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fluvial.algorithms.algorithm import Algorithm
from fluvial.algorithms.backward import PathReward, shortness
from fluvial.algorithms.balance import LogZSource
from fluvial.algorithms.registry import ALGORITHMS, BACKWARD_RULES, Ingredients
from fluvial.config.backward import ImplicitLogZConfig
from fluvial.config.kinds import MAX_TABULAR_CELLS
from fluvial.config.learning import ReplayConfig
from fluvial.config.run_config import RunConfig
from fluvial.core.enumeration import enumerate_states
from fluvial.core.environment import Environment
from fluvial.core.errors import RewardError
from fluvial.core.types import Origin, Trajectories
from fluvial.envs.synthesis.prices import cheapness
from fluvial.losses.regression import REGRESSIONS, Regression
from fluvial.metrics.paths import PathCounts
from fluvial.nets.graph_transformer import GraphTransformer
from fluvial.nets.sequence_transformer import SequenceTransformer
from fluvial.policy.encoders import AtomEncoder, FingerprintEncoder
from fluvial.policy.envelope import EnvelopePolicy
from fluvial.policy.graph import GraphPolicy
from fluvial.policy.log_z import GivenLogZ, LogZ
from fluvial.policy.model import Model
from fluvial.policy.module import PolicyModule
from fluvial.policy.sequence import SequencePolicy
from fluvial.policy.synthesis import SynthesisPolicy
from fluvial.policy.tabular import TabularPolicy
from fluvial.policy.trunks import SeparateTrunks
from fluvial.policy.uniform import UniformPolicy
from fluvial.policy.vector import VectorPolicy
from fluvial.rewards.function import load_function
from fluvial.train.conditions import build_conditions
from fluvial.train.learner import Learner, LearningSettings, LocalSearch, Picking
from fluvial.train.optimizers import OptimizerSettings, build_optimizer, build_schedule
from fluvial.train.prior import load_policy
from fluvial.train.replay import build_replay


def build_policy(config: RunConfig, env: Environment[Any]) -> PolicyModule:
    """The network, with the outputs that the backward policy asks for."""
    backward, width = config.algo.backward, build_conditions(config).encoding_width
    make = partial({**POLICIES, **SPECIAL.get(config.env.kind, {})}[config.policy.kind], config, env, width)
    if config.algo.objective.kind == "envelope_q":
        return EnvelopePolicy(env, [make(False, False) for _ in config.term_names])
    if getattr(backward, "trunk", "shared") == "separate":
        return SeparateTrunks(make(False, False), make(True, backward.counts))
    return make(backward.learns, backward.counts)


def build_algorithm(config: RunConfig, env: Environment[Any], base: Path, device: torch.device) -> Algorithm:
    """The learning rule; the prior of relative trajectory balance is a run, whose path starts at `base`."""
    algo = config.algo
    objective, backward = algo.objective, algo.backward
    options = objective.parameters()
    prior = options.pop("prior", None)
    ingredients = Ingredients(
        env,
        log_n=exact_counts(env) if backward.kind.endswith("_exact") else None,
        regression=build_regression(config),
        log_z=build_log_z_source(config),
        is_forward_looking=algo.forward_looking,
        path_reward=build_path_reward(backward.parameters().get("reward", "short"), base, env),
        other_preferences=build_conditions(config).others,
        prior=None if prior is None else load_policy(base / prior, config, env, build_policy).to(device),
    )
    chosen = {key: value for key, value in backward.parameters().items() if key not in ("trunk", "reward")}
    rule = BACKWARD_RULES[backward.kind](ingredients, **chosen)
    return ALGORITHMS[objective.kind](ingredients, rule, **options)


def build_path_reward(name: str, base: Path, env: Environment[Any]) -> PathReward:
    """What a way back is worth: a name in `PATH_REWARDS`, or a function, whose file is found from `base`.

    Raises:
        ConfigError: prices are asked for where none is known.
        RewardError: no such function; and, when called, not one finite number for each trajectory.
    """
    if name in PATH_REWARDS:
        return PATH_REWARDS[name](env)
    function = load_function(name, base)

    def reward(trajectories: Trajectories[Any]) -> Tensor:
        numbers = torch.as_tensor(function(trajectories), dtype=torch.get_default_dtype())
        if numbers.shape != trajectories.origin.shape or not bool(numbers.isfinite().all()):
            raise RewardError(
                f"{name} gave numbers of shape {tuple(numbers.shape)} for {len(trajectories.origin)}"
                " trajectories; it must return one finite number for each"
            )
        return numbers.to(trajectories.origin.device)

    return reward


PATH_REWARDS: dict[str, Callable[[Any], PathReward]] = {
    "short": lambda env: shortness,
    "cheap": cheapness,
}
"""By name; made for an environment."""


def build_regression(config: RunConfig) -> Regression:
    """What becomes of a residual."""
    regression = config.algo.regression
    options = regression.parameters()
    return partial(REGRESSIONS[regression.kind], **options) if options else REGRESSIONS[regression.kind]


def build_log_z(config: RunConfig) -> LogZ | GivenLogZ:
    """What gives log Z for a condition."""
    if config.condition.log_z is not None:
        return GivenLogZ()
    return LogZ(build_conditions(config).encoding_width if config.algo.log_z.kind == "learned" else 0)


def build_log_z_source(config: RunConfig) -> LogZSource:
    """Where log Z comes from."""
    log_z = config.algo.log_z
    if isinstance(log_z, ImplicitLogZConfig):
        return LogZSource(is_implicit=True, starts_from_batch=False)
    return LogZSource(starts_from_batch=log_z.first_batch, pull=log_z.pull)


def exact_counts(env: Environment[Any]) -> Callable[[Any], Tensor]:
    """States to the exact log number of ways back: the environment's formula, or from all of its states.

    Raises:
        DataError: there is no formula, and too many states to list.
    """
    formula: Callable[[Any], Tensor] | None = getattr(env, "log_n", None)
    return formula if formula is not None else PathCounts(env, enumerate_states(env))


def build_learner(
    config: RunConfig,
    env: Environment[Any],
    algorithm: Algorithm,
    device: torch.device,
    folder: Path = Path("replay"),
) -> Learner:
    """Weights, optimiser, replay and the run's generator; weights are drawn from torch's global one.

    Replay that is kept on the disk makes its files in `folder` when it is first needed.
    """
    model = Model(build_policy(config, env), build_log_z(config)).to(device)
    settings = config.optimizer
    optimizer = build_optimizer(
        model,
        OptimizerSettings(
            settings.kind,
            settings.lr,
            settings.log_z_lr,
            settings.weight_decay,
            settings.betas,
            settings.momentum,
        ),
    )
    schedule = build_schedule(
        settings.schedule, config.stop.steps, settings.warmup_steps, settings.final_lr_fraction
    )
    copies = {"lagged": config.algo.lag or None, "old": algorithm.old_decay}
    return Learner(
        model,
        optimizer,
        schedule,
        build_replay(config, env, folder),
        torch.Generator(device).manual_seed(config.seed),
        {name: decay for name, decay in copies.items() if decay is not None},
    )


def build_settings(config: RunConfig, algorithm: Algorithm) -> LearningSettings:
    """Numbers that steer a training step."""
    algo, replay = config.algo, config.replay
    start, end, steps = algo.epsilon.start, algo.epsilon.end, config.stop.steps

    def epsilon(step: int) -> float:
        return start + (end - start) * min(1.0, step / steps)

    weights = {Origin[name.upper()]: value for name, value in algo.source_weights.parameters().items()}
    return LearningSettings(
        batch=algo.batch,
        n_replayed=config.n_replayed,
        most_waiting=config.queue.most_waiting if config.queued_terms else 0,
        waits_for_room=config.queue.when_full == "wait",
        replay_start=replay.start,
        n_data=0 if config.data is None else config.data.per_step,
        epsilon=epsilon,
        temperature=algo.temperature,
        algorithm=algorithm,
        repeats=algo.repeats,
        picking=_picking(replay),
        hindsight=replay.hindsight,
        stored_paths=replay.paths == "stored",
        search=LocalSearch(**algo.local_search.parameters()),
        lag=algo.lag,
        lag_share=algo.lag_share,
        source_weights=weights if set(weights.values()) != {1.0} else {},
        likelihood_weight=algo.likelihood_weight,
        length_normalise=algo.length_normalise,
        clip_norm=config.optimizer.clip_norm,
        ema_decay=config.optimizer.ema_decay,
    )


def _picking(replay: ReplayConfig) -> Picking:
    if replay.priority != "asked":
        return Picking()
    return Picking(round(1.0 / replay.top_fraction), replay.top_share)


def _graph_transformer(
    config: RunConfig, env: Any, condition_width: int, learn_backward: bool, count_paths: bool
) -> PolicyModule:
    policy: Any = config.policy
    net = GraphTransformer(
        env.sizes, condition_width, policy.width, policy.layers, policy.heads, policy.dropout
    )
    return GraphPolicy(env, net, learn_backward, count_paths)


def _sequence_transformer(
    config: RunConfig, env: Any, condition_width: int, learn_backward: bool, count_paths: bool
) -> PolicyModule:
    policy: Any = config.policy
    net = SequenceTransformer(
        env.n_symbols,
        condition_width,
        policy.width,
        policy.layers,
        policy.heads,
        policy.dropout,
        policy.positions,
    )
    return SequencePolicy(env, net, learn_backward, count_paths)


def _mlp(
    config: RunConfig, env: Any, condition_width: int, learn_backward: bool, count_paths: bool
) -> PolicyModule:
    policy: Any = config.policy
    return VectorPolicy(env, condition_width, policy.width, policy.layers, learn_backward, count_paths)


def _tabular(
    config: RunConfig, env: Any, condition_width: int, learn_backward: bool, count_paths: bool
) -> PolicyModule:
    graph = enumerate_states(env, limit=2 * MAX_TABULAR_CELLS)
    return TabularPolicy(env, graph, learn_backward=learn_backward, count_paths=count_paths)


def _uniform(
    config: RunConfig, env: Any, condition_width: int, learn_backward: bool, count_paths: bool
) -> PolicyModule:
    return UniformPolicy(env)


def _on_atoms(
    config: RunConfig, env: Any, condition_width: int, learn_backward: bool, count_paths: bool
) -> PolicyModule:
    policy: Any = config.policy
    net = GraphTransformer(env.sizes, 0, policy.width, policy.layers, policy.heads, policy.dropout)
    encoder = AtomEncoder(env, net)
    return SynthesisPolicy(env, encoder, condition_width, learn_backward, count_paths, policy.blocks)


def _on_fingerprints(
    config: RunConfig, env: Any, condition_width: int, learn_backward: bool, count_paths: bool
) -> PolicyModule:
    policy: Any = config.policy
    encoder = FingerprintEncoder(env, policy.width, policy.layers)
    return SynthesisPolicy(env, encoder, condition_width, learn_backward, count_paths, policy.blocks)


POLICIES: dict[str, Callable[..., PolicyModule]] = {
    "graph-transformer": _graph_transformer,
    "sequence-transformer": _sequence_transformer,
    "mlp": _mlp,
    "tabular": _tabular,
    "uniform": _uniform,
}
"""`make(config, env, condition_width, learn_backward, count_paths)`."""

SPECIAL: dict[str, dict[str, Callable[..., PolicyModule]]] = {
    "synthesis": {"graph-transformer": _on_atoms, "mlp": _on_fingerprints}
}
"""By the kind of environment: what takes the place of an entry of `POLICIES`."""
