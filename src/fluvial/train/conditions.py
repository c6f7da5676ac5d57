"""From a checked configuration to what trajectories are asked to aim for, and what that is worth."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from fluvial.config.condition import (
    DirichletConfig,
    DirichletExponentialConfig,
    FixedPreferenceConfig,
    LearnedFocusConfig,
    ListedFocusConfig,
    SeededPreferenceConfig,
    TermShares,
)
from fluvial.config.run_config import RunConfig
from fluvial.queue.records import ScoredObject
from fluvial.rewards.calls import Failure
from fluvial.rewards.conditions import Conditions
from fluvial.rewards.diversity import Diversity, Limits
from fluvial.rewards.focus import DIRECTIONS, Directions, Focus, Learned, Reached
from fluvial.rewards.preferences import Preferences, seeded_choices
from fluvial.rewards.property_targets import AskedLogZ, PropertyTarget, PropertyTargets
from fluvial.rewards.target import Cone, Target
from fluvial.rewards.temperature import Temperature
from fluvial.rewards.terms import Term
from fluvial.train.asked import Names


def names_of(config: RunConfig) -> Names:
    """What the numbers of conditions are called."""
    return Names(config.term_names, [target.property for target in config.condition.target])


def n_values(config: RunConfig) -> int:
    """Numbers that are kept of each object: its terms where they are weighed, and properties with targets."""
    condition = config.condition
    return len(config.term_names) * condition.weighs_terms + len(condition.target)


def build_conditions(config: RunConfig) -> Conditions:
    """The pieces of the conditions."""
    condition = config.condition
    beta, log_z = condition.beta, condition.log_z
    targets = tuple(
        PropertyTarget(target.property, target.low, target.high, target.width, target.bins)
        for target in condition.target
    )
    return Conditions(
        Temperature(beta.distribution, beta.numbers, beta.bins, beta.ends if beta.has_ends else 0.0),
        _preferences(config) if condition.weighs_terms else None,
        _focus(config),
        PropertyTargets(targets) if targets else None,
        None if log_z is None else AskedLogZ(log_z.low, log_z.high, log_z.bins),
    )


def build_target(config: RunConfig) -> Target:
    """The formula of the target."""
    condition = config.condition
    preference, focus = condition.preference, condition.focus
    floor = 0.0 if config.reward is None else config.reward.floor
    plain = Target(
        "weighted_sum" if preference is None else preference.scalarisation,
        floor,
        widths=tuple(target.width for target in condition.target),
    )
    if focus is None:
        return plain
    return Target(
        plain.scalarisation, floor, Cone(focus.cosine, focus.coefficient), focus.outside, plain.widths
    )


def build_diversity(config: RunConfig) -> Diversity | None:
    """The diversity filter, empty; None where there is none."""
    reward = config.reward
    if reward is None or reward.diversity is None:
        return None
    return Diversity(reward.diversity.kind, Limits(**reward.diversity.parameters()), reward.floor)


def build_values(
    config: RunConfig, terms: Sequence[Term]
) -> Callable[[Sequence[ScoredObject]], Tensor] | None:
    """Scored objects to the numbers that conditions weigh, float64 [B, n_values]; None where they weigh none.

    They are made of the raw values that the store keeps, so that no reward is asked for again. What a filter
    refused has 0 for each term.
    """
    if not n_values(config):
        return None
    weighed = tuple(terms) if config.condition.weighs_terms else ()
    targets = tuple(target.property for target in config.condition.target)

    def values(objects: Sequence[ScoredObject]) -> Tensor:
        rows = [[*_terms(item, weighed), *_raw(item, targets)] for item in objects]
        return torch.tensor(rows, dtype=torch.float64).reshape(len(rows), len(weighed) + len(targets))

    return values


def _terms(item: ScoredObject, terms: Sequence[Term]) -> list[float]:
    if item.status == "filtered":
        return [0.0] * len(terms)
    values = []
    for term, raw in zip(terms, _raw(item, [term.name for term in terms]), strict=True):
        value = term.value(raw) if item.reward is not None and not math.isnan(raw) else math.nan
        values.append(math.nan if isinstance(value, Failure) else value)
    return values


def _raw(item: ScoredObject, names: Sequence[str]) -> list[float]:
    found = (item.properties.get(name) for name in names)
    return [math.nan if value is None else value for value in found]


def _preferences(config: RunConfig) -> Preferences:
    preference, names = config.condition.preference, config.term_names
    if isinstance(preference, DirichletConfig | DirichletExponentialConfig):
        return Preferences(len(names), preference.kind, preference.concentration, n_bins=preference.bins)
    if isinstance(preference, SeededPreferenceConfig):
        choices = seeded_choices(len(names), preference.n, preference.concentration, preference.seed)
        return Preferences(len(names), choices=choices, n_bins=preference.bins)
    if isinstance(preference, FixedPreferenceConfig):
        return Preferences(len(names), choices=(_in_order(preference.weights, names),))
    weights = () if config.reward is None else tuple(term.weight for term in config.reward.term)
    return Preferences(len(names), choices=(weights,))


def _focus(config: RunConfig) -> Focus | None:
    focus, names = config.condition.focus, config.term_names
    if focus is None:
        return None
    directions: Directions
    if isinstance(focus, LearnedFocusConfig):
        steps = config.stop.steps
        memory = Reached(len(names), focus.resolution)
        directions = Learned(memory, round(focus.first * steps), round(focus.last * steps))
    elif isinstance(focus, ListedFocusConfig):
        listed = tuple(_in_order(direction, names) for direction in focus.directions)
        directions = DIRECTIONS["listed"](len(names), listed)
    else:
        shared = {"kind", "cosine", "coefficient", "outside", "bins"}
        directions = DIRECTIONS[focus.kind](len(names), **focus.model_dump(exclude=shared))
    return Focus(len(names), directions, focus.bins)


def _in_order(given: TermShares, names: Sequence[str]) -> tuple[float, ...]:
    return tuple(given.get(name, 0.0) for name in names)
