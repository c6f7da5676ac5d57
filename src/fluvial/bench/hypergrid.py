"""How close to the exact distribution training comes on a grid."""

from __future__ import annotations

import statistics
from typing import Any

import torch

from fluvial.algorithms.registry import BACKWARD_RULES
from fluvial.bench.exactness import Recipe, exact_error, train
from fluvial.bench.known import grid
from fluvial.bench.objectives import AIMS_AT_DISTRIBUTION
from fluvial.chem.choices import choose_name
from fluvial.envs.hypergrid import Hypergrid


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
    recipe = Recipe(
        choose_name("objective", objective, AIMS_AT_DISTRIBUTION),
        choose_name("backward policy", backward, BACKWARD_RULES),
        steps=trajectories // batch,
        batch=batch,
    )
    known = grid(Hypergrid(dimension, side), r0)
    results = [exact_error(known, train(known, recipe, seed).policy, recipe) for seed in range(seeds)]
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
