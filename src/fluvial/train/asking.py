"""What a user asks of a trained run, by names of terms and properties, and what to warn about."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from fluvial.chem.choices import choose_name
from fluvial.config.run_config import RunConfig
from fluvial.core.errors import ConfigError
from fluvial.core.types import Condition
from fluvial.rewards.conditions import Asked, Conditions
from fluvial.rewards.focus import Listed, unit_direction
from fluvial.rewards.preferences import normalised
from fluvial.train.asked import condition_columns
from fluvial.train.conditions import names_of

TOLERANCE = 1e-6
"""How far what is asked for may be from what was learned and still count as the same; arbitrary."""


FIRST_WORDS = {"beta": "beta", "weights": "weight", "focus": "focus", "target": "target", "log_z": "log"}
"""Field of a condition to the first word of its columns."""


@dataclass(frozen=True)
class Wish:
    """What is asked of all objects alike; what is left out is drawn as in training."""

    beta: float | None = None
    """Sharpness."""
    prefer: Mapping[str, float] | None = None
    """Weight of each reward term by name; 0 for those left out, brought to a sum of 1."""
    focus: Mapping[str, float] | None = None
    """Direction in the space of the reward terms; 0 for those left out."""
    target: Mapping[str, float] | None = None
    """Value of properties by name."""
    log_z: float | None = None


NO_WISH = Wish()


def asked_of(config: RunConfig, conditions: Conditions, wish: Wish) -> tuple[Asked, list[str]]:
    """The wish in the order of the run's terms, and a warning for each part that was not learned.

    Raises:
        ConfigError: an unknown name, or something that the run cannot be asked for.
    """
    names = config.term_names
    weights = focus = None
    if wish.prefer is not None:
        numbers = _numbers("--prefer", wish.prefer, names)
        weights = normalised(numbers, len(numbers))
    if wish.focus is not None:
        focus = unit_direction(_numbers("--focus", wish.focus, names))
    target = None
    if wish.target is not None:
        properties = [target.property for target in config.condition.target]
        given = _named("--target", wish.target, properties)
        target = tuple(given.get(name) for name in properties)
    asked = Asked(wish.beta, weights, focus, target, wish.log_z)
    conditions.sample(1, torch.Generator(), asked)
    _require_learned(conditions, asked)
    return asked, _warnings(conditions, asked)


def described(config: RunConfig, conditions: Conditions, condition: Condition) -> dict[str, list[float]]:
    """Columns of what was asked for, without those parts that cannot be anything else."""
    told = {FIRST_WORDS[name] for name, piece in conditions.pieces.items() if piece.encoding_width}
    columns = condition_columns(condition, names_of(config))
    return {name: cells for name, cells in columns.items() if name.split(" ")[0] in told}


def _named(option: str, given: Mapping[str, float], names: list[str]) -> dict[str, float]:
    """The numbers by the run's own names."""
    if not names:
        # What the run was not trained on is told by the conditions themselves, in better words.
        return dict(given)
    try:
        return {choose_name("name", name, names): float(value) for name, value in given.items()}
    except ConfigError as error:
        raise ConfigError(f"{option}: {error}") from None


def _numbers(option: str, given: Mapping[str, float], names: list[str]) -> tuple[float, ...]:
    found = _named(option, given, names)
    return tuple(found.get(name, 0.0) for name in names or found)


def _require_learned(conditions: Conditions, asked: Asked) -> None:
    """Refuse what a run that knows one value only cannot answer.

    Raises:
        ConfigError: another value than the one that was learned.
    """
    beta, law = asked.beta, conditions.beta
    if beta is not None and law.distribution == "constant" and beta != law.middle():
        raise ConfigError(
            f"beta = {beta:g} is not what this run learned, which is {law.middle():g}; ask for that,"
            " or train a run with another condition.beta"
        )
    for name, key, given, piece in (
        ("the preference", "preference", asked.weights, conditions.weights),
        ("the focus", "focus", asked.focus, conditions.focus),
    ):
        if given is None or piece is None or piece.encoding_width:
            continue
        learned = piece.middle().tolist()
        if math.dist(given, learned) > TOLERANCE:
            raise ConfigError(
                f"{name} {_shown(given)} is not what this run learned, which is {_shown(learned)};"
                f" ask for that, or train a run with another condition.{key}"
            )


def _warnings(conditions: Conditions, asked: Asked) -> list[str]:
    found = []
    low, high = conditions.beta.span
    if asked.beta is not None and not low <= asked.beta <= high:
        found.append(_outside("beta", asked.beta, low, high))
    if asked.log_z is not None and conditions.log_z is not None:
        span = conditions.log_z
        if not span.low <= asked.log_z <= span.high:
            found.append(_outside("log Z", asked.log_z, span.low, span.high))
    if asked.target is not None and conditions.target is not None:
        for part, value in zip(conditions.target.parts, asked.target, strict=True):
            if value is not None and not part.low <= value <= part.high:
                found.append(_outside(part.name, value, part.low, part.high))
    choices = () if conditions.weights is None else conditions.weights.choices
    if asked.weights is not None and choices and _far(asked.weights, choices):
        found.append(f"the preference {_shown(asked.weights)} is none of the {len(choices)} that it learned")
    law = None if conditions.focus is None else conditions.focus.directions
    if asked.focus is not None and isinstance(law, Listed) and _far(asked.focus, law.directions):
        found.append(f"the focus {_shown(asked.focus)} is none of the {law.n_different} that it learned")
    return found


def _outside(name: str, value: float, low: float, high: float) -> str:
    return f"{name} = {value:g} is outside of what the run learned, {low:g} to {high:g}"


def _far(given: tuple[float, ...], choices: tuple[tuple[float, ...], ...]) -> bool:
    return min(math.dist(given, choice) for choice in choices) > TOLERANCE


def _shown(numbers: tuple[float, ...] | list[float]) -> str:
    return ", ".join(f"{number:.4g}" for number in numbers)
