"""How close to the exact distribution training comes on a grid."""

from __future__ import annotations

import statistics
from typing import Any

import torch

from fluvial.core.enumeration import StateGraph, enumerate_states
from fluvial.envs.hypergrid import Grid, Hypergrid, corners_reward
from fluvial.losses.objectives import OBJECTIVES
from fluvial.metrics.exact import exact_log_probability, total_variation
from fluvial.policy.log_z import LogZ
from fluvial.policy.vector import VectorPolicy
from fluvial.replay.buffer import Priority, ReplayBuffer
from fluvial.rewards.conditions import Temperature
from fluvial.train.build import grid_reward
from fluvial.train.learner import Learner, LearningSettings, Model, Problem
from fluvial.train.optimizers import OptimizerSettings, build_optimizer, build_schedule
from fluvial.train.scoring import scored_objects
from fluvial.train.step import train_step


def run(  # noqa: PLR0913 - the options of a command
    side: int = 8,
    dimension: int = 2,
    trajectories: int = 32_000,
    batch: int = 16,
    seeds: int = 3,
    r0: float = 0.1,
    backward: str = "uniform",
    objective: str = "tb",
    threads: int = 1,
) -> dict[str, Any]:
    """Exact total variation of the averaged weights after on-policy training, for several seeds."""
    torch.set_num_threads(threads)  # the network is too small to share
    results = [
        train_grid(
            Hypergrid(dimension, side), trajectories, batch, seed, r0, backward == "learned", objective
        )
        for seed in range(seeds)
    ]
    return {
        "benchmark": "hypergrid",
        "side": side,
        "dimension": dimension,
        "trajectories": trajectories,
        "batch": batch,
        "r0": r0,
        "backward": backward,
        "objective": objective,
        "total_variation": results,
        "mean_total_variation": statistics.mean(results),
    }


def train_grid(
    env: Hypergrid,
    trajectories: int,
    batch: int,
    seed: int,
    r0: float = 0.1,
    learn_backward: bool = False,
    objective: str = "tb",
) -> float:
    """Exact total variation between the target and the averaged policy after training."""
    torch.manual_seed(seed)
    reward = grid_reward(env.side, r0, 0.5, 2.0)
    n_steps = trajectories // batch
    model = Model(VectorPolicy(env, 0, 256, 2, learn_backward), LogZ(0))
    learner = Learner(
        model,
        build_optimizer(model, OptimizerSettings(lr=2e-3, log_z_lr=0.1)),
        build_schedule("cosine", n_steps, 0, 0.01),
        ReplayBuffer(1, env.max_steps, Priority()),
        torch.Generator().manual_seed(seed),
    )
    problem = Problem(env, lambda texts: scored_objects(reward, texts), Temperature())
    settings = LearningSettings(
        batch=batch,
        n_replayed=0,
        epsilon=lambda step: 0.0,
        ema_decay=0.99,
        objective=OBJECTIVES[objective],
    )
    for _ in range(n_steps):
        train_step(problem, learner, settings)
    return exact_error(env, enumerate_states(env), learner, r0)


def exact_error(env: Hypergrid, graph: StateGraph[Grid], learner: Learner, r0: float) -> float:
    """Total variation between the averaged policy and R / Z, from all states."""
    policy = learner.average.policy
    condition = Temperature().fixed

    def log_probs(states: Grid) -> torch.Tensor:
        forward: torch.Tensor = policy(states, condition(len(states), 1.0)).forward.log_probs
        return forward

    final = graph.is_terminal
    sampled = exact_log_probability(graph, log_probs)[final].exp()
    reward = corners_reward(graph.states.coordinate[final], env.side, r0).double()
    return total_variation(sampled, reward / reward.sum())
