from __future__ import annotations

import pytest

from fluvial.bench import sequences


@pytest.mark.parametrize("positions", ["rotary", "sinusoidal"])
def test_both_ways_learn_the_same(positions: str) -> None:
    found = sequences.run(length=7, batch=5, width=16, layers=2, heads=2, positions=positions, repeats=1)
    assert found["loss"] > 1.0
    assert found["loss_difference"] <= 1e-5 * found["loss"]
    assert found["relative_gradient_difference"] < 1e-5
    ratio = found["stepwise_cpu_seconds"] / found["single_pass_cpu_seconds"]
    assert found["times_faster"] == ratio
