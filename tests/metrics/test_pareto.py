from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from fluvial.metrics.pareto import (
    focus_accuracy,
    hypercube_faces,
    hypervolume,
    igd,
    igd_plus,
    pareto_front,
    pc_entropy,
    r2,
    simplex_grid,
)

N_CASES = 1000


def random_points(draw, n_objectives, most=6):
    """On a coarse grid, so that there are ties."""
    return draw.integers(0, 6, (int(draw.integers(1, most + 1)), n_objectives)) / 5.0


def dominates(one, other):
    return all(a >= b for a, b in zip(one, other, strict=True)) and any(
        a > b for a, b in zip(one, other, strict=True)
    )


def slow_hypervolume(points, reference):
    """By inclusion and exclusion of the boxes between reference and points."""
    total = 0.0
    for size in range(1, len(points) + 1):
        for some in itertools.combinations(points, size):
            sides = np.min(some, axis=0) - reference
            total += (-1) ** (size + 1) * float(np.prod(np.maximum(sides, 0.0)))
    return total


def test_front_equals_comparing_all_pairs():
    draw = np.random.default_rng(0)
    for case in range(N_CASES):
        points = random_points(draw, 1 + case % 4)
        expected = [not any(dominates(other, one) for other in points) for one in points]
        assert pareto_front(points).tolist() == expected
    assert pareto_front(np.zeros((0, 2))).tolist() == []


def test_hypervolume_equals_inclusion_and_exclusion():
    draw = np.random.default_rng(1)
    for case in range(N_CASES):
        points = random_points(draw, 2 + case % 3, most=5)
        reference = draw.choice([0.0, 0.3], points.shape[1])
        assert hypervolume(points, reference) == pytest.approx(slow_hypervolume(points, reference), abs=1e-12)
    assert hypervolume(np.zeros((0, 2)), [0, 0]) == 0.0


def test_distances_equal_loops():
    draw = np.random.default_rng(2)
    for case in range(N_CASES):
        n_objectives = 1 + case % 4
        points, references = random_points(draw, n_objectives), random_points(draw, n_objectives)
        plain = [min(math.dist(one, point) for point in points) for one in references]
        lacking = [min(math.hypot(*np.maximum(one - point, 0.0)) for point in points) for one in references]
        assert igd(points, references) == pytest.approx(sum(plain) / len(plain))
        assert igd_plus(points, references) == pytest.approx(sum(lacking) / len(lacking))


def test_r2_equals_loops():
    draw = np.random.default_rng(3)
    for case in range(N_CASES):
        n_objectives = 1 + case % 4
        points, weights = random_points(draw, n_objectives), random_points(draw, n_objectives)
        worst = [
            min(max(w * (1.0 - v) for w, v in zip(weight, point, strict=True)) for point in points)
            for weight in weights
        ]
        assert r2(points, weights, np.ones(n_objectives)) == pytest.approx(sum(worst) / len(worst))


def test_entropy_equals_counting():
    draw = np.random.default_rng(4)
    for case in range(N_CASES):
        n_objectives = 1 + case % 4
        points, references = draw.random((5, n_objectives)), draw.random((4, n_objectives))
        nearest = [min(range(4), key=lambda row: math.dist(point, references[row])) for point in points]
        shares = [nearest.count(row) / 5 for row in range(4)]
        expected = -sum(share * math.log(share) for share in shares if share)
        assert pc_entropy(points, references) == pytest.approx(expected, abs=1e-12)


def test_focus_equals_angles():
    draw = np.random.default_rng(5)
    for case in range(N_CASES):
        points = draw.integers(0, 4, (6, 2 + case % 3)) / 3.0
        focus = draw.random(points.shape) + 0.01
        inside = 0
        for point, direction in zip(points, focus, strict=True):
            lengths = math.hypot(*point) * math.hypot(*direction)
            inside += bool(lengths) and sum(point * direction) / lengths >= 0.9
        assert focus_accuracy(points, focus, 0.9) == pytest.approx(inside / 6)


def test_reference_points_by_hand():
    assert hypercube_faces(2, 3).tolist() == [[0, 1], [0.5, 1], [1, 0], [1, 0.5], [1, 1]]
    assert len(hypercube_faces(3, 10)) == 10**3 - 9**3
    assert sorted(simplex_grid(2, 2).tolist()) == [[0, 1], [0.5, 0.5], [1, 0]]
    grid = simplex_grid(3, 4)
    assert len(grid) == math.comb(6, 2)
    assert np.allclose(grid.sum(axis=1), 1)
    assert len({tuple(row) for row in grid.tolist()}) == len(grid)


def test_a_single_row_is_refused():
    with pytest.raises(ValueError, match="expected \\[N, K\\]"):
        hypervolume([0.5, 0.5], [0, 0])
