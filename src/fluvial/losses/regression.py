"""How a residual becomes a loss."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def square(residual: Tensor) -> Tensor:
    """x^2."""
    return residual.square()


def absolute(residual: Tensor) -> Tensor:
    """|x|."""
    return residual.abs()


def huber(residual: Tensor) -> Tensor:
    """x^2 / 2 for |x| < 1, else |x| - 1/2."""
    return torch.nn.functional.huber_loss(residual, torch.zeros_like(residual), reduction="none")


REGRESSIONS: dict[str, Callable[[Tensor], Tensor]] = {"square": square, "absolute": absolute, "huber": huber}
