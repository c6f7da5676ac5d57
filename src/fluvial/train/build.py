"""From a checked configuration to the pieces of a run. Nothing below this room sees the configuration."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fluvial.algorithms.algorithm import Algorithm
from fluvial.algorithms.balance import Balance
from fluvial.chem.synthesis.library_file import load_library
from fluvial.chem.vocabulary import load_vocabulary
from fluvial.config.run_config import RunConfig
from fluvial.config.words import SequencesConfig
from fluvial.core.environment import Environment
from fluvial.core.errors import ConfigError
from fluvial.core.reward_batch import Outcome, RewardBatch
from fluvial.data.building import RewardRule, read_dataset
from fluvial.data.columns import Columns
from fluvial.data.dataset import Dataset
from fluvial.data.qm9 import qm9_table
from fluvial.envs.atoms.environment import Atoms
from fluvial.envs.fragments.environment import Fragments
from fluvial.envs.graphs.environment import Graphs
from fluvial.envs.graphs.rewards import GRAPH_REWARDS
from fluvial.envs.hypergrid import Hypergrid, corners_reward
from fluvial.envs.sequences.environment import Sequences
from fluvial.envs.sequences.rewards import (
    binding_reward,
    motif_reward,
    nearest_mode_reward,
    planted_modes,
)
from fluvial.envs.sets import Sets
from fluvial.envs.synthesis.environment import Syntheses
from fluvial.envs.synthesis.limits import Limits
from fluvial.queue.records import ScoredObject
from fluvial.rewards.filters import Filter, alert_filter, range_filter, rule_filter
from fluvial.rewards.lilly import lilly_filter
from fluvial.rewards.reward import Reward
from fluvial.rewards.terms import Term
from fluvial.rewards.transforms import identity
from fluvial.train.conditions import build_values
from fluvial.train.oracles import build_queued
from fluvial.train.rules import build_algorithm
from fluvial.train.scoring import RewardFunction
from fluvial.train.terms import Functions, build_terms, built_transform

SHARED_FROM_WIDTH = 256
"""Network width from which several threads are used; arbitrary between what was measured."""

REPORTED_PROPERTIES = ("qed", "sa", "mw", "logp")
"""Columns that every table of molecules has, whatever the reward."""

PUBLIC_TABLES: dict[str, Callable[[], Path]] = {"qm9": qm9_table}
"""Tables of given objects that a name stands for, made when they are first asked for."""


@dataclass(frozen=True)
class Pieces:
    """What must be right before a run leaves anything on disk."""

    config: RunConfig
    env: Environment[Any]
    reward: RewardFunction
    algorithm: Algorithm
    device: torch.device
    values: Callable[[Sequence[ScoredObject]], torch.Tensor] | None = None
    """Scored objects to the numbers that conditions weigh, float64 [B, K + P]."""
    terms: tuple[Term, ...] = ()
    """Of the reward; none where the environment has its own."""
    data: Dataset | None = None
    data_report: tuple[str, ...] = ()
    """What became of the rows of the file of given objects, in sentences."""


@contextmanager
def built(
    config: RunConfig, base: Path, functions: Functions | None = None, learns: bool = True
) -> Iterator[Pieces]:
    """What a run is made of; worker processes of the reward and of the environment end with the block.

    Args:
        config: the checked configuration.
        base: folder from which its relative paths start.
        functions: the terms whose function is a Python object and in no file.
        learns: whether the run is to learn; else what only learning needs is left out.
    """
    device = choose_device(config.device)
    threads_before = torch.get_num_threads()
    torch.set_num_threads(config.threads or choose_threads(config))
    reward: RewardFunction | None = None
    env: Environment[Any] | None = None
    try:
        env = build_env(config, base)
        algorithm = build_algorithm(config, env, base, device) if learns else Balance()
        reward = build_reward(config, base, functions or {})
        given = build_data(config, env, base) if learns else (None, ())
        terms = build_terms(config, base, functions or {})
        values = build_values(config, terms)
        yield Pieces(config, env, reward, algorithm, device, values, terms, *given)
    finally:
        if isinstance(reward, Reward):
            reward.close()
        if isinstance(env, Syntheses):
            env.close()
        torch.set_num_threads(threads_before)


def build_env(config: RunConfig, base: Path) -> Environment[Any]:
    """The environment; relative paths start at `base`."""
    return ENVIRONMENTS[config.env.kind](config.env, base)


def _fragments(env: Any, base: Path) -> Environment[Any]:
    local = base / env.vocabulary
    vocabulary = load_vocabulary(str(local) if local.is_file() else env.vocabulary)
    return Fragments(
        vocabulary, env.max_fragments, env.min_fragments, env.merge_symmetric, env.correct_symmetry
    )


def _syntheses(env: Any, base: Path) -> Environment[Any]:
    limits = Limits(
        tuple(env.reactions), tuple(env.start), env.max_price, tuple(env.forbidden), tuple(env.required)
    )
    options = env.model_dump(exclude={"kind", "library", *asdict(limits)})
    library = env.library if env.library == "default" else base / env.library
    return Syntheses(load_library(library), **options, limits=limits)


ENVIRONMENTS: dict[str, Callable[[Any, Path], Environment[Any]]] = {
    "fragments": _fragments,
    "atoms": lambda env, base: Atoms(**env.model_dump(exclude={"kind"})),
    "synthesis": _syntheses,
    "hypergrid": lambda env, base: Hypergrid(env.dimension, env.side),
    "graph": lambda env, base: Graphs(**env.model_dump(exclude={"kind", "reward"})),
    "sequence": lambda env, base: Sequences(env.alphabet, env.max_length, env.min_length, env.order),
    "set": lambda env, base: Sets(env.items, env.max_size, env.min_size),
}
"""`make(env section, folder that relative paths start at)`, by kind."""


def build_data(
    config: RunConfig, env: Environment[Any], base: Path
) -> tuple[Dataset | None, tuple[str, ...]]:
    """The given objects, and what became of the rows of their file.

    Raises:
        DataError: the file cannot be read, or nothing in it can be used.
    """
    data = config.data
    if data is None:
        return None, ()
    transform = identity if data.transform is None else built_transform(data.transform)
    named = PUBLIC_TABLES.get(data.file)
    dataset, report = read_dataset(
        env,
        base / data.file if named is None else named(),
        Columns(data.column, data.reward, remedy="Name it in data.column or data.reward."),
        RewardRule(transform, data.floor),
        config.seed,
    )
    return dataset, tuple(report.lines())


def build_reward(config: RunConfig, base: Path, functions: Functions | None = None) -> RewardFunction:
    """The reward; relative paths of functions start at `base`, and `functions` go before those in files."""
    if config.env.kind == "hypergrid":
        return grid_reward(config.env.side, config.env.r0, config.env.r1, config.env.r2)
    if config.env.kind == "graph":
        return graph_reward(build_env(config, base), config.env.reward)
    if config.env.kind == "sequence" and config.env.reward != "terms":
        return word_reward(config.env)
    reward = config.reward
    if reward is None:
        raise ConfigError(f"reward: env.kind = '{config.env.kind}' needs a [reward] section")
    terms = build_terms(config, base, functions or {})
    taken = {term.name for term in terms}
    is_molecular = config.is_molecular
    reported = [*REPORTED_PROPERTIES * is_molecular, *(target.property for target in config.condition.target)]
    return Reward(
        terms,
        filters=[_filter(item) for item in reward.filter],
        combine=reward.combine,
        floor=reward.floor,
        properties=[name for name in dict.fromkeys(reported) if name not in taken],
        reads_molecules=is_molecular,
        workers=reward.workers,
        timeout_seconds=reward.timeout_seconds,
        queued=build_queued(config, base, terms),
    )


def grid_reward(side: int, r0: float, r1: float, r2: float) -> RewardFunction:
    """The standard reward of the hypergrid, from texts such as "3,0,5"."""

    def reward(texts: Any, /) -> RewardBatch:
        coordinate = torch.tensor([[int(part) for part in text.split(",")] for text in texts])
        return always_known(corners_reward(coordinate, side, r0, r1, r2))

    return reward


def graph_reward(env: Any, name: str) -> RewardFunction:
    """One of the rewards of small graphs, from their texts."""

    def reward(texts: Any, /) -> RewardBatch:
        return always_known(GRAPH_REWARDS[name](env.encode(texts).states))

    return reward


def word_reward(env: SequencesConfig) -> RewardFunction:
    """One of the known rewards of words."""
    if env.reward == "binding":
        return binding_reward()
    if env.reward == "modes":
        n_bits = env.max_length * len(env.alphabet[0])
        return nearest_mode_reward(planted_modes(n_bits, env.n_modes, env.modes_seed), n_bits / 8)
    return motif_reward(env.motifs, env.max_length * max(map(len, env.alphabet)))


def always_known(values: torch.Tensor) -> RewardBatch:
    """Rewards float [B] that cannot fail."""
    numbers = values.double().numpy()
    outcome = np.full(len(numbers), Outcome.VALUE, dtype=np.int8)
    return RewardBatch(numbers, numbers[:, None], {}, outcome, [""] * len(numbers))


def seed_everything(seed: int) -> None:
    """Seed the generators that libraries and users' rewards share; the run's own one is separate."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def choose_threads(config: RunConfig) -> int:
    """One thread for a small network, whose operations are too short to share; else torch's own choice.

    Measured on 2 cores, width 64: two threads save a fifth alone, and double the time beside another process.
    """
    width = getattr(config.policy, "width", 0)
    return 1 if width < SHARED_FROM_WIDTH else torch.get_num_threads()


def choose_device(name: str) -> torch.device:
    """The device of a name; `auto` is a GPU if there is one.

    Raises:
        ConfigError: a GPU is asked for and is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device = '{name}': torch {torch.__version__} sees {torch.cuda.device_count()} GPUs here;"
            " use device = 'cpu' or 'auto'"
        )
    return device


def _filter(item: Any) -> Filter:
    if item.kind == "alerts":
        return alert_filter(item.sets)
    if item.kind == "range":
        return range_filter(item.property, item.low, item.high)
    if item.kind == "rule":
        return rule_filter(item.rule, item.violations)
    if item.kind == "lilly":
        return lilly_filter(item.program)
    return alert_filter(patterns={item.name or item.smarts: item.smarts})
