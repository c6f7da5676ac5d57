"""An exponential moving average of a module's weights."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn

M = TypeVar("M", bound=nn.Module)


def average_copy(module: M) -> M:
    """A copy without gradients that `update_average` keeps."""
    average = copy.deepcopy(module)
    return average.requires_grad_(False)


@torch.no_grad()
def update_average(average: nn.Module, module: nn.Module, decay: float, step: int) -> None:
    """average <- d average + (1 - d) module with d = min(decay, (1 + step) / (10 + step)).

    The ramp lets the average forget the random start (as in Tensorflow's ExponentialMovingAverage).
    """
    weight = 1.0 - min(decay, (1 + step) / (10 + step))
    theirs = [parameter.detach() for parameter in module.parameters()]
    torch._foreach_lerp_(list(average.parameters()), theirs, weight)
    for mine, other in zip(average.buffers(), module.buffers(), strict=True):
        mine.copy_(other)
