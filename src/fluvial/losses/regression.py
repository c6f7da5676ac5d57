"""How a residual becomes a loss."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fluvial.core.errors import ConfigError

Regression = Callable[[Tensor], Tensor]
"""Residuals of any shape to losses of that shape: 0 at 0, positive elsewhere."""


def square(residual: Tensor) -> Tensor:
    """x^2."""
    return residual.square()


def absolute(residual: Tensor) -> Tensor:
    """|x|."""
    return residual.abs()


def huber(residual: Tensor, delta: float = 1.0) -> Tensor:
    """x^2 / 2 for |x| < delta, else delta (|x| - delta / 2).

    Args:
        residual: float, any shape.
        delta: where the parabola becomes a line, above 0; 1 is arbitrary.
            `functools.partial(huber, delta=2.0)` is a regression with another one.

    Raises:
        ConfigError: delta is not above 0.
    """
    if not delta > 0.0:
        raise ConfigError(f"delta of the huber regression is {delta}; it must be above 0")
    target = torch.zeros_like(residual)
    return torch.nn.functional.huber_loss(residual, target, reduction="none", delta=delta)


def log_cosh(residual: Tensor, scale: float = 1.0) -> Tensor:
    """log cosh(a x): near (a x)^2 / 2 for small x, a |x| - log 2 for large, with slope a tanh(a x).

    Args:
        residual: float, any shape.
        scale: a, above 0; 1 is arbitrary. `functools.partial(log_cosh, scale=2.0)` is a regression with
            another one.

    Raises:
        ConfigError: scale is not above 0.
    """
    if not scale > 0.0:
        raise ConfigError(f"scale of the log_cosh regression is {scale}; it must be above 0")
    size = scale * residual.abs()
    # e^-2|x| cannot overflow, and expm1 keeps the digits of small x.
    return size + torch.log1p(0.5 * torch.expm1(-2.0 * size))


REGRESSIONS: dict[str, Regression] = {
    "square": square,
    "absolute": absolute,
    "huber": huber,
    "log_cosh": log_cosh,
}
