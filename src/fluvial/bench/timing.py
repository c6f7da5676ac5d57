"""Measuring, and what a machine can do."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

MATRIX = 1024


@dataclass(frozen=True)
class Cost:
    """What running something once took."""

    wall_seconds: float
    cpu_seconds: float
    """Of all threads of this process."""


def cost_of(function: Callable[[], object]) -> Cost:
    """Cost of one call."""
    _wait()
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    _wait()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def median_cost(costs: list[Cost]) -> Cost:
    """Median of each figure."""
    return Cost(
        statistics.median(cost.wall_seconds for cost in costs),
        statistics.median(cost.cpu_seconds for cost in costs),
    )


def matrix_gflops(device: torch.device, repeats: int = 9) -> float:
    """GFLOP/s of a large float32 matrix product, by which figures of different machines compare."""
    left, right = torch.rand(2, MATRIX, MATRIX, device=device)
    best = min(cost_of(lambda: left @ right).wall_seconds for _ in range(repeats))
    return 2.0 * MATRIX**3 / best / 1e9
