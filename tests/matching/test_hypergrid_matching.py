"""Training reaches R / Z on grids, exactly measured with averaged weights."""

from __future__ import annotations

import statistics

import pytest

from fluvial.bench.hypergrid import train_grid
from fluvial.envs.hypergrid import Hypergrid

N_TRAJECTORIES = 32_000


@pytest.mark.parametrize(("side", "bound"), [(8, 0.02), (16, 0.05)])
@pytest.mark.long
def test_grid_within_32_000_trajectories(side: int, bound: float) -> None:
    errors = [train_grid(Hypergrid(2, side), N_TRAJECTORIES, 16, seed) for seed in range(3)]
    assert statistics.mean(errors) < bound
