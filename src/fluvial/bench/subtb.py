"""What sub-trajectory balance itself costs in a training step, beside the network."""

from __future__ import annotations

import statistics
from functools import partial
from pathlib import Path
from typing import Any

import torch

from fluvial.bench.fragments import constant_score
from fluvial.bench.timing import cost_of
from fluvial.config.file import parse_config
from fluvial.core.errors import ConfigError
from fluvial.core.types import Scores
from fluvial.losses.objectives import Objective, subtb, subtb_of_squares, trajectory_loss
from fluvial.losses.regression import square
from fluvial.train.build import build_env
from fluvial.train.conditions import build_conditions
from fluvial.train.learner import Problem
from fluvial.train.rules import build_algorithm, build_learner, build_settings
from fluvial.train.step import train_step


def run(
    batch: int = 64, length: int = 30, steps: int = 15, warmup: int = 5, threads: int = 1
) -> dict[str, Any]:
    """Seconds of sub-trajectory balance, forward and backward, and their share of a default training step.

    The step has the default network and `batch` molecules of `length` transitions, an even number, no replay
    and a reward that costs nothing.

    Raises:
        ConfigError: no molecule has `length` transitions.
    """
    torch.set_num_threads(threads)
    step, learn = step_seconds(batch, length, steps, warmup)
    parts = {
        "decay_0.9": objective_seconds(subtb, batch, length, steps, warmup),
        "decay_1": objective_seconds(subtb_of_squares, batch, length, steps, warmup),
    }
    return {
        "benchmark": "subtb",
        "batch": batch,
        "length": length,
        "threads": torch.get_num_threads(),
        "step_seconds": step,
        "learn_seconds": learn,
        **{f"{name}_seconds": seconds for name, seconds in parts.items()},
        **{f"{name}_share_of_step": seconds / step for name, seconds in parts.items()},
        **{f"{name}_share_of_learn": seconds / learn for name, seconds in parts.items()},
    }


def step_seconds(batch: int, length: int, steps: int, warmup: int) -> tuple[float, float]:
    """Median wall time of a training step, and of the learning in it."""
    size = length // 2  # the first fragment takes one transition, each further one two, and the stop one
    overrides = ["algo.objective=subtb", f"algo.batch={batch}", "replay.fraction=0", "device=cpu"]
    overrides += [f"env.max_fragments={size}", f"env.min_fragments={size}"]
    config = parse_config('[env]\nkind = "fragments"\n', "the defaults", overrides)
    env = build_env(config, Path())
    device = torch.device("cpu")
    algorithm = build_algorithm(config, env, Path(), device)
    torch.manual_seed(0)
    learner, settings = build_learner(config, env, algorithm, device), build_settings(config, algorithm)
    problem = Problem(env, constant_score, build_conditions(config))
    wholes, learns = [], []
    for _ in range(warmup + steps):
        result = train_step(problem, learner, settings)
        if result.metrics["n_steps"] != length:
            raise ConfigError(f"length = {length}: molecules of as many transitions are not in reach")
        wholes.append(sum(result.seconds.values()))
        learns.append(result.seconds["learn"])
    return statistics.median(wholes[warmup:]), statistics.median(learns[warmup:])


def objective_seconds(objective: Objective, batch: int, length: int, steps: int, warmup: int) -> float:
    """Median wall time of residuals, weights and loss of random trajectories, and of their gradients."""
    generator = torch.Generator().manual_seed(0)
    normal = partial(torch.randn, generator=generator, requires_grad=True)
    scores = Scores(
        normal(length, batch),
        normal(length, batch),
        normal(length + 1, batch),
        torch.ones(length, batch, dtype=torch.bool),
    )
    log_reward, group = torch.zeros(batch), torch.zeros(batch, dtype=torch.int64)

    def forward_and_backward() -> None:
        residual, weight = objective(scores, log_reward, log_reward, group)
        trajectory_loss(residual, weight, square).mean().backward()  # type: ignore[no-untyped-call]

    costs = [cost_of(forward_and_backward).wall_seconds for _ in range(warmup + steps)]
    return statistics.median(costs[warmup:])
