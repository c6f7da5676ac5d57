"""What rewards that come late, or not at all, cost: the distance to the exact distribution."""

from __future__ import annotations

import dataclasses
import statistics
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import torch

from fluvial.bench.exactness import KnownProblem
from fluvial.bench.matching import exact_error, listed
from fluvial.config.file import parse_config
from fluvial.config.run_config import RunConfig
from fluvial.core.errors import ConfigError
from fluvial.queue.records import PENDING, UNANSWERED, ScoredObject
from fluvial.train.rules import build_algorithm, build_learner, build_settings
from fluvial.train.scoring import Scoring
from fluvial.train.step import train_step

BATCH = 32
GRID = f"""
device = "cpu"
[env]
kind = "hypergrid"
side = 16
[algo]
batch = {BATCH}
"""
MARK = "@"
"""Between a text and the batch in which it was made."""


class Late:
    """A scoring whose answers come `delay` batches after the question, each trajectory's for itself.

    Args:
        score: knows the answers.
        delay: batches that are made meanwhile; 0 answers at once.
        failures: share of the questions to which no answer ever comes, drawn anew each time.
        seed: of the failures.
    """

    def __init__(self, score: Scoring, delay: int, failures: float = 0.0, seed: int = 0) -> None:
        self._score, self._delay, self._failures = score, delay, failures
        self._luck = torch.Generator().manual_seed(seed)
        self._asked: dict[str, int] = {}
        self._batches = 0
        self.n_calls = 0

    def __call__(self, texts: Sequence[str]) -> list[ScoredObject]:
        """See `fluvial.train.scoring.Scoring`."""
        if texts and all(MARK in text for text in texts):
            return self._answered(texts)
        self._batches += 1
        self.n_calls += BATCH
        names = [f"{text}{MARK}{self._batches}" for text in texts]
        if self._delay == 0:
            return self._answered(names)
        self._asked |= dict.fromkeys(names, self._batches)
        return [ScoredObject(name, None, PENDING) for name in names]

    def _answered(self, names: Sequence[str]) -> list[ScoredObject]:
        for name in names:
            self._asked.pop(name, None)
        found = self._score([name.partition(MARK)[0] for name in names])
        fails = (torch.rand(len(names), generator=self._luck) < self._failures).tolist()
        return [
            ScoredObject(item.text, None, UNANSWERED, "no answer") if is_failure else item
            for item, is_failure in zip(found, fails, strict=True)
        ]

    def delays(self) -> dict[str, float]:
        """Nothing; delays are counted in batches here."""
        return {}

    def is_spent(self) -> bool:
        """Never."""
        return False

    def still_open(self) -> Collection[str]:
        """See `fluvial.train.scoring.Answers`."""
        due = self._batches - self._delay
        return {name for name, batch in self._asked.items() if batch > due}

    def wait(self) -> None:
        """Let the time of a batch pass."""
        self._batches += 1


def run(
    calls: int = 32_000,
    delay: int = 50,
    failures: float = 0.0,
    seeds: int = 3,
    threads: int = 1,
) -> dict[str, Any]:
    """Total variation on a grid of 16 by 16 after `calls` reward calls, with and without what is asked for.

    Rewards come `delay` batches of 32 late, and a share of `failures` of them never.
    """
    if calls < 2 * delay * BATCH:
        raise ConfigError(f"calls = {calls} must be at least {2 * delay * BATCH}, twice what is on its way")
    torch.set_num_threads(threads)
    known = listed(configuration(1, 0))
    plain = [error(known, calls, 0, 0.0, seed) for seed in range(seeds)]
    late = [error(known, calls, delay, failures, seed) for seed in range(seeds)]
    means = statistics.mean(plain), statistics.mean(late)
    return {
        "benchmark": "delay",
        "objects": len(known.objects),
        "calls": calls,
        "delay_batches": delay,
        "failures": failures,
        "total_variation_at_once": plain,
        "total_variation_late": late,
        "mean_at_once": means[0],
        "mean_late": means[1],
        "ratio": means[1] / means[0],
    }


def configuration(steps: int, seed: int) -> RunConfig:
    """The checked configuration."""
    return parse_config(GRID, "grid", [f"stop.steps={steps}", f"seed={seed}"])


def error(known: KnownProblem, calls: int, delay: int, failures: float, seed: int) -> float:
    """Total variation between the averaged policy and R / Z after `calls` questions."""
    torch.manual_seed(seed)
    # What is on its way at the end was asked for, too.
    config = configuration(calls // BATCH - delay, seed)
    late = Late(known.problem.score, delay, failures, seed)
    problem = dataclasses.replace(known.problem, score=late, answers=late)
    algorithm = build_algorithm(config, problem.env, Path(), problem.device)
    learner = build_learner(config, problem.env, algorithm, problem.device)
    settings = dataclasses.replace(build_settings(config, algorithm), most_waiting=delay * BATCH)
    while learner.step < config.stop.steps:
        train_step(problem, learner, settings)
    found = exact_error(known, learner.average.policy)
    sys.stderr.write(f"delay {delay}, seed {seed}: {found:.4f} after {late.n_calls} calls\n")
    return found
