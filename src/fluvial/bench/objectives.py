"""Every learning rule on problems whose answer is known: how close it comes, and what a step costs."""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from fluvial.algorithms.registry import PROPORTIONAL
from fluvial.bench.exactness import KnownProblem, Recipe, begin, exact_error, target_weight, train
from fluvial.bench.known import PROBLEMS, best_worth, mean_worth, with_preferences
from fluvial.bench.timing import cost_of
from fluvial.bench.variants import Variant, chosen_variants, recipe_for
from fluvial.chem.choices import choose_name
from fluvial.core.errors import NonFiniteLossError

TIMED_STEPS = 30
"""Steps that are timed, each beside one of plain trajectory balance; arbitrary."""
WARM_UP_STEPS = 5
"""Steps before those; arbitrary."""
AIMS_AT_DISTRIBUTION = (*PROPORTIONAL, "rtb")
"""Rules whose result is compared with a distribution; the others are to earn rewards."""


def run(
    problems: str = "hypergrid,graphs_constant,graphs_cliques",
    objectives: str = "all",
    backward: str = "all",
    steps: int = 0,
    batch: int = 0,
    seeds: int = 3,
    threads: int = 1,
) -> dict[str, Any]:
    """How far each learning rule with each backward policy ends from the exact answer, and what a step costs.

    Rules that are to sample in proportion get the total variation, the others the mean reward over that of
    the untrained policy. Each row is told on stderr once it is there. With backward policies by name every
    pair that goes together is a row. `steps` and `batch` of 0 are those tuned for each problem.
    """
    torch.set_num_threads(threads)
    chosen = [choose_name("problem", name, PROBLEMS) for name in problems.split(",")]
    variants = chosen_variants(objectives, backward)
    rows = []
    for problem in dict.fromkeys(chosen):
        known = PROBLEMS[problem]()
        for variant in variants:
            if not _is_settled(known, variant):
                recipe = recipe_for(problem, variant)
                recipe = replace(recipe, steps=steps or recipe.steps, batch=batch or recipe.batch)
                rows.append({"problem": problem, "rule": variant.name, **measured(known, recipe, seeds)})
                sys.stderr.write(f"{line(rows[-1])}\n")
    return {"benchmark": "objectives", "threads": torch.get_num_threads(), "rows": rows}


def _is_settled(known: KnownProblem, variant: Variant) -> bool:
    """Whether all objects are alike to a rule that is to earn rewards."""
    earns = variant.objective in ("a2c", "reinforce")
    return earns and bool(known.reward.max() == known.reward.min())


def measured(known: KnownProblem, recipe: Recipe, seeds: int) -> dict[str, Any]:
    """A row of the table: settings, figures of each seed and their mean, seconds of a step."""
    problem = with_preferences(known) if recipe.objective == "envelope_q" else known
    measure = distance if recipe.objective in AIMS_AT_DISTRIBUTION else gain
    row: dict[str, Any] = {
        "objective": recipe.objective,
        "backward": recipe.backward,
        "steps": recipe.steps,
        "batch": recipe.batch,
        "lr": recipe.lr,
        "epsilon": recipe.epsilon,
        **step_seconds(problem, recipe),
    }
    try:
        results = [measure(problem, recipe, seed) for seed in range(seeds)]
    except NonFiniteLossError as error:
        return {**row, "failure": str(error)}
    columns = {name: [result[name] for result in results] for name in results[0]}
    return {**row, **columns, **{f"mean_{name}": statistics.mean(column) for name, column in columns.items()}}


def distance(known: KnownProblem, recipe: Recipe, seed: int) -> dict[str, float]:
    """Total variation after and before training, and |error of log Z|; nan where the rule has no log Z."""
    untrained, _ = begin(known, recipe, seed)
    trained = train(known, recipe, seed)
    log_z = float(target_weight(known, recipe).sum().log())
    return {
        "total_variation": exact_error(known, trained.policy, recipe),
        "untrained_total_variation": exact_error(known, untrained.average.policy, recipe),
        "log_z_error": abs(trained.log_z - log_z),
    }


def gain(known: KnownProblem, recipe: Recipe, seed: int) -> dict[str, float]:
    """Mean reward over that of the untrained policy, and the largest that this could be."""
    untrained, _ = begin(known, recipe, seed)
    before = mean_worth(known, untrained.average.policy)
    after = mean_worth(known, train(known, recipe, seed).policy)
    return {"gain": after / before, "best_gain": best_worth(known) / before}


def step_seconds(known: KnownProblem, recipe: Recipe) -> dict[str, float]:
    """Median wall time of an early training step, also over that of plain trajectory balance.

    The two take turns, so that other work on the machine slows both.
    """
    plain = replace(Recipe(), steps=recipe.steps, batch=recipe.batch, lr=recipe.lr)
    own_step, plain_step = begin(known, recipe, 0)[1], begin(known, plain, 0)[1]
    own, its = [], []
    for _ in range(WARM_UP_STEPS + TIMED_STEPS):
        own.append(cost_of(own_step).wall_seconds)
        its.append(cost_of(plain_step).wall_seconds)
    seconds = statistics.median(own[WARM_UP_STEPS:])
    return {"step_seconds": seconds, "step_over_tb": seconds / statistics.median(its[WARM_UP_STEPS:])}


def line(row: Mapping[str, Any]) -> str:
    """A row for people to read."""
    start = f"{row['problem']:16}{row['rule']:30}"
    cost = f"{1e3 * row['step_seconds']:7.1f} ms a step, {row['step_over_tb']:.2f} of tb"
    if "failure" in row:
        return f"{start}failed: {row['failure']}"
    if "gain" in row:
        return f"{start}gain {row['mean_gain']:.2f} of {row['mean_best_gain']:.2f}{cost:>44}"
    error = row["mean_log_z_error"]
    log_z = "" if math.isnan(error) else f"  log Z off by {error:.3f}"
    return f"{start}TV {row['mean_total_variation']:.4f}{log_z}  {cost}"
