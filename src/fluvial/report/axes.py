"""Axes of charts: the range that holds some values, round ticks inside it, and their texts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Scale:
    """A range of values and the ticks inside it, in ascending order."""

    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False


@dataclass(frozen=True)
class Axis:
    """A scale laid over a stretch of the drawing."""

    scale: Scale
    start: float
    """Place of the scale's low end."""
    end: float
    """Place of its high end."""

    def place(self, value: float) -> float:
        """Where a value lies in the drawing; on a logarithmic scale it must be > 0."""
        low, high, at = self.scale.low, self.scale.high, value
        if self.scale.log:
            low, high, at = math.log10(low), math.log10(high), math.log10(at)
        return self.start + (at - low) / (high - low) * (self.end - self.start)


def exact_scale(values: Sequence[float]) -> Scale:
    """From the lowest to the highest value (at least one); whole ticks where all values are whole."""
    low, high = min(values), max(values)
    if _is_constant(low, high):
        pad = max(1.0, 1e-3 * abs(low))
        return Scale(low - pad, high + pad, (low,))
    step = _step((high - low) / 5)
    if all(float(value).is_integer() for value in values):
        step = max(step, 1.0)
    return Scale(low, high, _multiples(low, high, step))


def round_scale(values: Sequence[float]) -> Scale:
    """From a tick at or below the lowest value (of at least one) to a tick at or above the highest."""
    low, high = min(values), max(values)
    if _is_constant(low, high):
        pad = 0.1 * abs(low) or 1.0
        low, high = low - pad, high + pad
    step = _step((high - low) / 6)
    low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    return Scale(low, high, _multiples(low, high, step))


def log_scale(values: Sequence[float]) -> Scale:
    """A logarithmic scale between ticks around the values, which must be > 0."""
    low, high = min(values), max(values)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    if last - first >= 3:
        stride = math.ceil((last - first) / 6)
        powers = range(first, last + stride, stride)
        return Scale(10.0**first, 10.0 ** powers[-1], tuple(10.0**power for power in powers), log=True)
    ticks = [float(f"{digit}e{power}") for power in range(first - 1, last + 2) for digit in (1, 2, 5)]
    below = [tick for tick in ticks if tick <= low]
    above = [tick for tick in ticks if tick >= high and tick > below[-1]]
    return Scale(
        below[-1], above[0], tuple(tick for tick in ticks if below[-1] <= tick <= above[0]), log=True
    )


def tick_labels(scale: Scale) -> list[str]:
    """Texts of the ticks, as short as they can be while exact."""
    if scale.log:
        return [_log_label(tick) for tick in scale.ticks]
    is_plain = 1e-3 <= max(map(abs, scale.ticks)) < 1e7
    texts: list[str] = []
    for digits in range(10):
        style = f",.{digits}f" if is_plain else f".{digits + 1}g"
        texts = [format(tick, style) for tick in scale.ticks]
        values = [float(text.replace(",", "")) for text in texts]
        if all(math.isclose(*pair, rel_tol=1e-9) for pair in zip(values, scale.ticks, strict=True)):
            break
    return [text.replace("-", "\N{MINUS SIGN}") for text in texts]


def _log_label(tick: float) -> str:
    if 1e-3 <= tick < 1e5:
        return f"{tick:,g}"
    digit, power = f"{tick:.0e}".split("e")
    return ("" if digit == "1" else f"{digit}·") + "10" + str(int(power)).translate(_SUPERSCRIPT)


def _is_constant(low: float, high: float) -> bool:
    return high - low <= 1e-9 * max(abs(low), abs(high), 1e-9)


def _step(rough: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is at least `rough`."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= rough * (1 - 1e-9))


def _multiples(low: float, high: float, step: float) -> tuple[float, ...]:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    # Rounding takes away what binary fractions add: 3 * 0.1 is 0.30000000000000004.
    decimals = 3 - math.floor(math.log10(step))
    return tuple(round(index * step, decimals) for index in range(first, last + 1))
