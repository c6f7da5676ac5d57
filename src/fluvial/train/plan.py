"""What to find out about a run. Works without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from fluvial.core.errors import ConfigError

METRIC_PREFIX = "evaluate/"
"""Begins the names of what is measured while a run is going."""


@dataclass(frozen=True)
class EvaluationPlan:
    """How much of what is measured; 0 leaves a part out.

    Raises:
        ConfigError: a number out of range.
    """

    n_samples: int = 1000
    """Objects drawn from the averaged policy under one condition."""
    n_objects: int = 128
    """Objects whose log probability is estimated, half drawn from the policy and half by uniform actions."""
    n_paths: int = 64
    """Ways back from each of them, at least 2; error bars need about 30."""
    subset_size: int = 32
    """Objects in a subset of FCS, at least 2; arbitrary."""
    n_conditions: int = 15
    """Conditions drawn as in training, where the run learned several (Jain et al. 2023, arXiv:2210.12765)."""
    n_repeats: int = 128
    """Objects drawn under each of them (Jain et al. 2023)."""
    n_points: int = 10
    """Points of the curves over reward calls, at least 1; the usual budgets come on top."""
    exact_states: int = 200_000
    """Largest number of states of an environment that is listed and evaluated exactly."""
    thresholds: tuple[float, ...] = (0.5, 0.7, 0.9)
    """Values from which on an object counts as a hit; for values between 0 and 1, name yours otherwise."""
    similarities: tuple[float, ...] = (0.5, 0.7)
    """Tanimoto similarities below which two hits are different modes (radius 3, 2048 bits)."""
    by: str = "reward"
    """What hits and the best are judged by: the reward, or the raw value of a property by name."""
    seed: int = 0
    """The same seed gives the same numbers."""

    def __post_init__(self) -> None:
        for name in ("n_samples", "n_objects", "n_conditions", "n_repeats", "exact_states", "seed"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} = {getattr(self, name)} must be at least 0")
        for name in ("n_paths", "subset_size"):
            if getattr(self, name) < 2:
                raise ConfigError(f"{name} = {getattr(self, name)} must be at least 2")
        if self.n_points < 1:
            raise ConfigError(f"n_points = {self.n_points} must be at least 1")
        if not self.thresholds:
            raise ConfigError("thresholds must hold at least one value")
        for similarity in self.similarities:
            if not 0.0 < similarity <= 1.0:
                raise ConfigError(f"similarities: {similarity:g} must be more than 0 and at most 1")


def planned(choices: Mapping[str, Any]) -> EvaluationPlan:
    """The plan with some fields chosen.

    Raises:
        ConfigError: there is no such field, or a number is out of range.
    """
    known = [field.name for field in fields(EvaluationPlan)]
    for name in choices:
        if name not in known:
            raise ConfigError(f"there is no choice '{name}' of an evaluation; known are {', '.join(known)}")
    lists = {name: tuple(choices[name]) for name in ("thresholds", "similarities") if name in choices}
    return EvaluationPlan(**{**choices, **lists})
