"""Training reaches R / Z on grids, exactly measured with averaged weights."""

from __future__ import annotations

import pytest

from fluvial.bench.hypergrid import run


@pytest.mark.parametrize(("side", "seeds", "bound"), [(8, 3, 0.02), (16, 1, 0.02)])
@pytest.mark.long
def test_grid_within_32_000_trajectories(side: int, seeds: int, bound: float) -> None:
    found = run(side, trajectories=32_000, batch=16, seeds=seeds)
    assert found["mean_total_variation"] < bound
