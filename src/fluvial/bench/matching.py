"""How close the distribution of a trained run comes to the exact one, where all objects can be listed."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from fluvial.bench.exactness import KnownProblem, distribution, known_problem
from fluvial.chem.choices import choose_name
from fluvial.config.file import parse_config
from fluvial.config.run_config import RunConfig
from fluvial.core.policy import Policy
from fluvial.metrics.exact import total_variation
from fluvial.train.build import build_env, build_reward
from fluvial.train.rules import POLICIES, build_algorithm, build_learner, build_settings
from fluvial.train.step import train_step

CONFIGURATIONS: dict[str, str] = {
    "graphs": """
[env]
kind = "graph"
max_nodes = 5
reward = "cliques"
""",
    "atoms": """
[env]
kind = "atoms"
elements = ["C", "N"]
max_atoms = 4
[condition]
beta = 1.0
""",
    "binding": """
[env]
kind = "sequence"
alphabet = ["A", "C", "G", "T"]
min_length = 8
max_length = 8
reward = "binding"
""",
}
"""What is trained, as in a configuration file: 419 coloured graphs, the 269 molecules of at most 4 atoms of
carbon and nitrogen, and the 65 536 words of 8 bases."""


def run(problem: str = "graphs", steps: int = 1000, seeds: int = 3, threads: int = 1) -> dict[str, Any]:
    """Exact total variation and seconds of training runs of a configuration, for several seeds."""
    name = choose_name("problem", problem, CONFIGURATIONS)
    torch.set_num_threads(threads)
    configs = [configuration(name, steps, seed) for seed in range(seeds)]
    known = listed(configs[0])
    results = [trained(known, config) for config in configs]
    errors = [exact_error(known, result.policy) for result in results]
    return {
        "benchmark": "matching",
        "problem": name,
        "objects": len(known.objects),
        "policy": configs[0].policy.kind,
        "reward_calls": steps * configs[0].algo.batch,
        "train_seconds": [result.seconds for result in results],
        "total_variation": errors,
        "mean_total_variation": statistics.mean(errors),
    }


def configuration(name: str, steps: int, seed: int) -> RunConfig:
    """The checked configuration of a problem."""
    overrides = [f"stop.steps={steps}", f"seed={seed}", "device=cpu"]
    return parse_config(CONFIGURATIONS[name], name, overrides)


def listed(config: RunConfig) -> KnownProblem:
    """All objects of the configured environment and their rewards."""
    env = build_env(config, Path())

    def make(width: int, learn_backward: bool, count_paths: bool) -> Any:
        return POLICIES[config.policy.kind](config, env, width, learn_backward, count_paths)

    return known_problem(env, build_reward(config, Path()), make)


@dataclass(frozen=True)
class Result:
    """What a run of a configuration led to."""

    policy: Policy
    """The one with averaged weights."""
    seconds: float
    """Wall time of training."""


def trained(known: KnownProblem, config: RunConfig) -> Result:
    """The policy that the configured training ends with."""
    torch.manual_seed(config.seed)
    env, device = known.problem.env, torch.device("cpu")
    algorithm = build_algorithm(config, env, Path(), device)
    learner, settings = build_learner(config, env, algorithm, device), build_settings(config, algorithm)
    started = perf_counter()
    for _ in range(config.stop.steps):
        train_step(known.problem, learner, settings)
    return Result(learner.average.policy, perf_counter() - started)


def exact_error(known: KnownProblem, policy: Policy) -> float:
    """Total variation between what the policy draws and R / Z, in [0, 1]."""
    reward = known.reward
    return total_variation(distribution(known, policy), reward / reward.sum())
