from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from fluvial.replay import sum_tree
from fluvial.replay.sum_tree import SCALE, SumTree

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("size", [1, 5, 64, 65, 4096, 4097, 9000])
def test_draws_are_in_proportion_also_after_changes(size: int) -> None:
    weights = RNG.random(size) * (RNG.random(size) > 0.3)
    tree = SumTree(weights)
    for _ in range(3):
        rows = RNG.integers(0, size, 40)
        weights[rows] = RNG.random(40) * 3.0
        tree.update(rows)
    assert tree.total == pytest.approx(weights.sum() * SCALE)
    drawn = np.bincount(tree.draw(RNG.random(20_000)), minlength=size)
    assert drawn[weights == 0.0].sum() == 0
    expected = weights / weights.sum() * 20_000
    is_often = expected > 5.0
    if is_often.sum() > 1:
        rest = [drawn[~is_often].sum()], [max(expected[~is_often].sum(), 1e-9)]
        seen = np.concatenate([drawn[is_often], rest[0]])
        wanted = np.concatenate([expected[is_often], rest[1]])
        assert chisquare(seen, wanted * seen.sum() / wanted.sum()).pvalue > 1e-4


def test_levels_are_read_off_the_cumulative_sum() -> None:
    tree = SumTree(np.array([0.0, 1.0, 0.0, 3.0, 0.0]))
    assert tree.draw(np.array([0.0, 0.2499, 0.25, 0.999, np.nextafter(1.0, 0.0)])).tolist() == [1, 1, 3, 3, 3]


def test_nothing_but_zeros_is_drawn_evenly() -> None:
    assert SumTree(np.zeros(4)).draw(np.array([0.0, 0.3, 0.5, 0.99])).tolist() == [0, 1, 2, 3]


def test_the_largest_numbers_have_a_finite_sum() -> None:
    weights = np.full(200, np.finfo(np.float64).max)
    tree = SumTree(weights)
    assert np.isfinite(tree.total)
    tree.update(np.arange(200))
    assert set(tree.draw(RNG.random(10_000))) == set(range(200))


def test_no_error_gathers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sum_tree, "FAN", 4)
    weights = np.zeros(50)
    tree = SumTree(weights)
    for _ in range(2000):
        rows = RNG.integers(0, 50, 5)
        weights[rows] = 10.0 ** RNG.uniform(-12, 12, 5)
        tree.update(rows)
    weights[:] = 0.0
    weights[7] = 1e-9
    tree.update(np.arange(50))
    assert tree.total == 1e-9 * SCALE
    assert tree.draw(RNG.random(20)).tolist() == [7] * 20
