from __future__ import annotations

import math
import random

import pytest

from fluvial.metrics.budget import auc_top_k, moments, top_k_curve

N_CASES = 1000


def slow_auc(rewards, k, budget, every):
    """One trapezium after the other; the rest of the budget is a rectangle."""
    rewards = rewards[:budget]
    area, before, called = 0.0, 0.0, 0
    while called < len(rewards):
        now = min(called + every, len(rewards))
        known = sorted(reward for reward in rewards[:now] if not math.isnan(reward))[-k:]
        height = sum(known) / len(known) if known else 0.0
        area += (now - called) * (before + height) / 2
        before, called = height, now
    return (area + (budget - called) * before) / budget


def random_rewards(draw: random.Random):
    return [math.nan if draw.random() < 0.2 else draw.random() for _ in range(draw.randint(0, 40))]


def test_auc_by_hand():
    # Means of the best 2: 0.2 after 2 calls, 0.5 after 4; then 6 calls at 0.5.
    area = 2 * 0.1 + 2 * 0.35 + 6 * 0.5
    assert auc_top_k([0.1, 0.3, 0.7, 0.0], k=2, budget=10, every=2) == pytest.approx(area / 10)
    assert auc_top_k([]) == 0.0


def test_auc_equals_adding_up_trapeziums():
    draw = random.Random(0)
    for _ in range(N_CASES):
        rewards = random_rewards(draw)
        numbers = draw.randint(1, 5), draw.randint(5, 50), draw.randint(1, 12)
        assert auc_top_k(rewards, *numbers) == pytest.approx(slow_auc(rewards, *numbers), abs=1e-12)


def test_curve_equals_sorting_what_was_called():
    draw = random.Random(1)
    for _ in range(N_CASES):
        rewards, k = random_rewards(draw), draw.randint(1, 4)
        calls = [draw.randint(0, len(rewards)) for _ in range(3)]
        expected = []
        for count in calls:
            known = sorted(reward for reward in rewards[:count] if not math.isnan(reward))
            expected.append(sum(known[-k:]) / k if len(known) >= k else math.nan)
        assert top_k_curve(rewards, k, calls) == pytest.approx(expected, nan_ok=True)


def test_moments_hold_the_usual_budgets():
    assert moments(0) == []
    assert moments(3) == [1, 2, 3]
    assert moments(12_000, 4) == [1_000, 3_000, 6_000, 9_000, 10_000, 12_000]
