"""Functions from a raw value to a term's value, most of them to [0, 1], by name.

Names, parameters and formulas are those of REINVENT 4, so that its scoring blocks keep their meaning.
`divide` is ours.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from functools import partial

from fluvial.chem.choices import choose_name
from fluvial.core.errors import ConfigError

Transform = Callable[[float], float]


def sigmoid(x: float, low: float, high: float, k: float) -> float:
    """1 / (1 + 10^(-10 k (x - (low + high) / 2) / (high - low))): rises from `low` to `high`."""
    return _logistic(10.0 * k * (x - (low + high) / 2.0) / (high - low))


def reverse_sigmoid(x: float, low: float, high: float, k: float) -> float:
    """1 - sigmoid(x): falls from `low` to `high`."""
    return _logistic(-10.0 * k * (x - (low + high) / 2.0) / (high - low))


def double_sigmoid(
    x: float,
    low: float,
    high: float,
    coef_div: float = 100.0,
    coef_si: float = 150.0,
    coef_se: float = 150.0,
) -> float:
    """A hump with value 1/2 at `low` and `high`, in two halves that meet at the centre (low + high) / 2.

    Below the centre 1 / (1 + 10^(-(coef_si / coef_div) (x - low))),
    from the centre on 1 - 1 / (1 + 10^(-(coef_se / coef_div) (x - high))).
    """
    if x < (low + high) / 2.0:
        return _logistic(coef_si / coef_div * (x - low))
    return _logistic(-coef_se / coef_div * (x - high))


def left_step(x: float, low: float) -> float:
    """1 for x <= low, else 0."""
    return float(x <= low)


def right_step(x: float, high: float) -> float:
    """1 for x >= high, else 0."""
    return float(x >= high)


def step(x: float, low: float, high: float) -> float:
    """1 for low <= x <= high, else 0."""
    return float(low <= x <= high)


def exponential_decay(x: float, k: float) -> float:
    """exp(-k x) for x >= 0, and 1 for x < 0."""
    return math.exp(-k * x) if x >= 0.0 else 1.0


def linear(x: float, low: float, high: float) -> float:
    """(x - low) / (high - low), clipped to [0, 1]."""
    return min(max((x - low) / (high - low), 0.0), 1.0)


def reverse_linear(x: float, low: float, high: float) -> float:
    """(high - x) / (high - low), clipped to [0, 1]."""
    return min(max((high - x) / (high - low), 0.0), 1.0)


def clip(x: float, low: float, high: float) -> float:
    """The value x itself, but at least `low` (>= 0) and at most `high`."""
    return min(max(x, low), high)


def divide(x: float, by: float) -> float:
    """x / `by`, but at least 0."""
    return max(x / by, 0.0)


def value_mapping(x: float, mapping: Mapping[float, float]) -> float:
    """mapping[x].

    Raises:
        ValueError: the mapping has no entry for x.
    """
    if x not in mapping:
        raise ValueError(f"the value {x:g} is not in the mapping ({', '.join(f'{v:g}' for v in mapping)})")
    return mapping[x]


def identity(x: float) -> float:
    """The value x itself, which must not be negative.

    Raises:
        ValueError: x < 0.
    """
    if x < 0.0:
        raise ValueError(f"the value {x:g} is negative and a reward is not: give the term a transform")
    return x


TRANSFORMS: dict[str, Callable[..., float]] = {
    "sigmoid": sigmoid,
    "reverse_sigmoid": reverse_sigmoid,
    "double_sigmoid": double_sigmoid,
    "left_step": left_step,
    "right_step": right_step,
    "step": step,
    "exponential_decay": exponential_decay,
    "linear": linear,
    "reverse_linear": reverse_linear,
    "clip": clip,
    "divide": divide,
    "value_mapping": value_mapping,
    "identity": identity,
}


def make_transform(kind: str, **parameters: object) -> Transform:
    """The transform called `kind` with its parameters fixed; the result can be sent to other processes.

    Raises:
        ConfigError: unknown kind, or a parameter that is unknown, missing, not a number or out of range.
    """
    kind = choose_name("transform", kind, TRANSFORMS)
    function = TRANSFORMS[kind]
    accepted = dict(list(inspect.signature(function).parameters.items())[1:])
    for name in parameters:
        if name not in accepted:
            raise ConfigError(
                f"transform '{kind}' has no parameter '{name}' (it has: {', '.join(accepted) or 'none'})"
            )
    for name, parameter in accepted.items():
        if parameter.default is parameter.empty and name not in parameters:
            raise ConfigError(f"transform '{kind}' needs the parameter '{name}'")
    if kind == "value_mapping":
        return partial(function, mapping=_checked_mapping(parameters["mapping"]))
    numbers = {name: _finite(kind, name, value) for name, value in parameters.items()}
    _check_ranges(kind, numbers)
    return partial(function, **numbers)


def _check_ranges(kind: str, numbers: Mapping[str, float]) -> None:
    if "low" in numbers and "high" in numbers and numbers["low"] >= numbers["high"]:
        raise ConfigError(
            f"transform '{kind}': high = {numbers['high']:g} must be greater than low = {numbers['low']:g}"
        )
    for name in ("k", "by", "coef_div", "coef_si", "coef_se"):
        if name in numbers and numbers[name] <= 0.0:
            raise ConfigError(f"transform '{kind}': {name} = {numbers[name]:g} must be greater than 0")
    if kind == "clip" and numbers["low"] < 0.0:
        raise ConfigError(f"transform 'clip': low = {numbers['low']:g} must be at least 0")


def _finite(kind: str, name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"transform '{kind}': {name} = {value!r} is not a finite number")
    return float(value)


def _checked_mapping(mapping: object) -> dict[float, float]:
    if not isinstance(mapping, Mapping) or not mapping:
        raise ConfigError(f"transform 'value_mapping': mapping = {mapping!r} is not a table of numbers")
    numbers = {}
    for key, value in mapping.items():
        # Keys of a TOML table are texts.
        try:
            raw = float(key)
        except (TypeError, ValueError):
            raise ConfigError(f"transform 'value_mapping': {key!r} is not a number") from None
        numbers[raw] = _finite("value_mapping", f"mapping[{key}]", value)
        if numbers[raw] < 0.0:
            raise ConfigError(f"transform 'value_mapping': mapping[{key}] = {value!r} must be at least 0")
    return numbers


def _logistic(exponent: float) -> float:
    """1 / (1 + 10^-exponent) without overflow."""
    if exponent >= 0.0:
        return 1.0 / (1.0 + math.pow(10.0, -exponent))
    power = math.pow(10.0, exponent)
    return power / (1.0 + power)
