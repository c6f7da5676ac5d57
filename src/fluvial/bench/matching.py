"""How close the distribution of a trained run comes to the exact one, where all objects can be listed."""

from __future__ import annotations

import dataclasses
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import torch

from fluvial.bench.exactness import KnownProblem, distribution, known_problem
from fluvial.chem.choices import choose_name
from fluvial.config.file import parse_config
from fluvial.config.run_config import RunConfig
from fluvial.core.policy import Policy
from fluvial.metrics.exact import total_variation
from fluvial.queue.records import ScoredObject
from fluvial.tasks.registry import find_task
from fluvial.train.build import build_env, build_reward
from fluvial.train.rules import POLICIES, build_algorithm, build_learner, build_settings
from fluvial.train.step import train_step

ATOMS = """
[env]
kind = "atoms"
elements = ["C", "N"]
max_atoms = 4
[condition]
beta = 1.0
"""

PROBLEMS: dict[str, tuple[Callable[[], str], tuple[str, ...]]] = {
    "graphs": (lambda: find_task("small_graphs").toml, ("env.max_nodes=5", "stop.steps=3000")),
    "atoms": (lambda: ATOMS, ()),
    "words": (lambda: find_task("tfbind8").toml, ()),
}
"""The configuration that is trained, and what differs from it: 419 coloured graphs, the 269 molecules of at
most 4 atoms of carbon and nitrogen, and all words of 8 bases."""


def run(problem: str = "graphs", steps: int = 0, seeds: int = 3, threads: int = 1) -> dict[str, Any]:
    """Exact total variation, reward calls and seconds of whole training runs, for several seeds.

    `steps` of 0 are those of the problem. A reward call is an object that was not asked for before.
    """
    name = choose_name("problem", problem, PROBLEMS)
    torch.set_num_threads(threads)
    configs = [configuration(name, steps, seed) for seed in range(seeds)]
    known = listed(configs[0])
    results = []
    for config in configs:
        results.append(trained(known, config))
        sys.stderr.write(f"seed {config.seed}: total variation {results[-1].total_variation:.4f}\n")
    return {
        "benchmark": "matching",
        "problem": name,
        "objects": len(known.objects),
        "policy": configs[0].policy.kind,
        "steps": configs[0].stop.steps,
        "reward_calls": [result.n_calls for result in results],
        "wall_seconds": [result.wall_seconds for result in results],
        "cpu_seconds": [result.cpu_seconds for result in results],
        "total_variation": [result.total_variation for result in results],
        "mean_total_variation": statistics.mean(result.total_variation for result in results),
    }


def configuration(name: str, steps: int = 0, seed: int = 0) -> RunConfig:
    """The checked configuration of a problem; `steps` of 0 are those of the problem."""
    text, different = PROBLEMS[name]
    chosen = (f"stop.steps={steps}",) if steps else ()
    return parse_config(text(), name, [*different, *chosen, f"seed={seed}", "device=cpu"])


def listed(config: RunConfig) -> KnownProblem:
    """All objects of the configured environment and their rewards."""
    env = build_env(config, Path())

    def make(width: int, learn_backward: bool, count_paths: bool) -> Any:
        return POLICIES[config.policy.kind](config, env, width, learn_backward, count_paths)

    return known_problem(env, build_reward(config, Path()), make)


@dataclass(frozen=True)
class Trained:
    """What a run of a configuration led to."""

    policy: Policy
    """The one with averaged weights."""
    total_variation: float
    """Between what it draws and R / Z."""
    n_calls: int
    """Different objects whose reward was asked for."""
    wall_seconds: float
    """Of training."""
    cpu_seconds: float


def trained(known: KnownProblem, config: RunConfig) -> Trained:
    """What the configured training ends with."""
    torch.manual_seed(config.seed)
    asked: set[str] = set()

    def score(texts: Sequence[str]) -> list[ScoredObject]:
        asked.update(texts)
        return known.problem.score(texts)

    problem = dataclasses.replace(known.problem, score=score)
    algorithm = build_algorithm(config, problem.env, Path(), problem.device)
    learner = build_learner(config, problem.env, algorithm, problem.device)
    settings = build_settings(config, algorithm)
    wall, cpu = perf_counter(), process_time()
    for _ in range(config.stop.steps):
        train_step(problem, learner, settings)
    seconds = perf_counter() - wall, process_time() - cpu
    policy = learner.average.policy
    return Trained(policy, exact_error(known, policy), len(asked), *seconds)


def exact_error(known: KnownProblem, policy: Policy) -> float:
    """Total variation between what the policy draws and R / Z, in [0, 1]."""
    reward = known.reward
    return total_variation(distribution(known, policy), reward / reward.sum())
