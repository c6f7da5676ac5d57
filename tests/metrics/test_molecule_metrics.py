from __future__ import annotations

import math
import random

import numpy as np
import pytest
from rdkit import DataStructs

from fluvial.metrics.molecules import (
    diversity,
    mean_distance_to_known,
    molecules,
    n_circles,
    n_modes,
    n_scaffolds,
    novelty,
    top_k_mean,
    uniqueness,
)

N_CASES = 1000
N_BITS = 24


def similarity(one, other) -> float:
    a = {bit for bit in range(N_BITS) if one.GetBit(bit)}
    b = {bit for bit in range(N_BITS) if other.GetBit(bit)}
    return len(a & b) / len(a | b)


def random_fingerprint(draw: random.Random):
    vector = DataStructs.ExplicitBitVect(N_BITS)
    for _ in range(draw.randint(1, 9)):
        vector.SetBit(draw.randrange(N_BITS))
    return vector


def random_fingerprints(draw: random.Random, least: int = 1):
    return [random_fingerprint(draw) for _ in range(draw.randint(least, 10))]


def random_rewards(draw: random.Random, n: int) -> list[float]:
    """With ties and missing ones."""
    return [math.nan if draw.random() < 0.1 else draw.randrange(12) / 10 for _ in range(n)]


def slow_top_k(rewards, k):
    known = sorted((reward for reward in rewards if not math.isnan(reward)), reverse=True)
    return sum(known[:k]) / k if len(known) >= k else math.nan


def slow_modes(rewards, fingerprints, threshold, cut_off):
    """Molecules one after the other, best first, each compared with all modes."""
    hits = [place for place, reward in enumerate(rewards) if reward >= threshold]
    kept = []
    for place in sorted(hits, key=lambda place: (-rewards[place], place)):
        if all(similarity(fingerprints[place], fingerprints[mode]) < cut_off for mode in kept):
            kept.append(place)
    return len(kept)


def slow_circles(fingerprints, distance):
    kept = []
    for one in fingerprints:
        if all(1 - similarity(one, other) >= distance for other in kept):
            kept.append(one)
    return len(kept)


def test_top_k_mean_equals_sorting():
    draw = random.Random(0)
    for _ in range(N_CASES):
        rewards, k = random_rewards(draw, draw.randint(0, 12)), draw.randint(1, 8)
        assert top_k_mean(rewards, k) == pytest.approx(slow_top_k(rewards, k), nan_ok=True)


def test_modes_equal_comparison_with_all():
    draw = random.Random(1)
    for _ in range(N_CASES):
        fingerprints = random_fingerprints(draw)
        rewards = random_rewards(draw, len(fingerprints))
        thresholds, cut_off = [draw.randrange(12) / 10 for _ in range(3)], draw.choice([0.25, 0.5, 0.7])
        expected = [slow_modes(rewards, fingerprints, low, cut_off) for low in thresholds]
        assert n_modes(rewards, fingerprints, thresholds, cut_off) == expected


def test_circles_equal_comparison_with_all():
    draw = random.Random(2)
    for _ in range(N_CASES):
        fingerprints, distance = random_fingerprints(draw), draw.choice([0.5, 0.7, 0.75])
        assert n_circles(fingerprints, distance) == slow_circles(fingerprints, distance)


def test_a_circle_may_touch_another_one():
    # 3 of 10 bits are common: a distance of exactly 0.7.
    wide, narrow = DataStructs.ExplicitBitVect(N_BITS), DataStructs.ExplicitBitVect(N_BITS)
    wide.SetBitsFromList(list(range(10)))
    narrow.SetBitsFromList([0, 1, 2])
    assert n_circles([wide, narrow], 0.7) == 2
    assert n_modes([1.0, 1.0], [wide, narrow], [1.0], 0.3) == [1]


def test_diversity_equals_the_mean_over_all_pairs():
    draw = random.Random(3)
    for _ in range(N_CASES):
        fingerprints = random_fingerprints(draw, least=2)
        pairs = [
            1 - similarity(one, other) for row, one in enumerate(fingerprints) for other in fingerprints[:row]
        ]
        assert diversity(fingerprints) == pytest.approx(sum(pairs) / len(pairs))
    assert math.isnan(diversity(fingerprints[:1]))


def test_shares_and_scaffolds_equal_counting():
    draw = random.Random(4)
    for _ in range(N_CASES):
        texts = [draw.choice("abcdefg") for _ in range(draw.randint(1, 10))]
        known = [draw.choice("abcdefg") for _ in range(draw.randint(0, 5))]
        seen: list[str] = []
        for text in texts:
            if text not in seen:
                seen.append(text)
        assert uniqueness(texts) == len(seen) / len(texts)
        assert novelty(texts, known) == sum(text not in known for text in seen) / len(seen)
        rewards = random_rewards(draw, len(texts))
        scaffolds, thresholds = [draw.choice(["", "x", "y", "z"]) for _ in texts], [0.2, 0.7]
        expected = []
        for low in thresholds:
            found = []
            for reward, text in zip(rewards, scaffolds, strict=True):
                if text and reward >= low and text not in found:
                    found.append(text)
            expected.append(len(found))
        assert n_scaffolds(rewards, scaffolds, thresholds) == expected


def test_distance_to_known_equals_the_nearest_by_comparison():
    draw = random.Random(5)
    for _ in range(N_CASES):
        mine, known = random_fingerprints(draw), random_fingerprints(draw)
        nearest = [max(similarity(one, other) for other in known) for one in mine]
        assert mean_distance_to_known(mine, known) == pytest.approx(1 - sum(nearest) / len(nearest))
    assert math.isnan(mean_distance_to_known(mine, []))


def test_molecules_are_different_readable_and_ranked():
    found = molecules(["CCO", "C1CC", "Cc1ccccc1", "CCO", "CC"], [0.5, 0.9, 0.7, 0.1, math.nan])
    assert found.texts == ["CCO", "Cc1ccccc1", "CC"]
    np.testing.assert_array_equal(found.rewards, [0.5, 0.7, math.nan])
    assert found.scaffolds == ["", "c1ccccc1", ""]
    assert found.best().texts == ["Cc1ccccc1", "CCO"]
    assert found.hits(0.6).texts == ["Cc1ccccc1"]
    assert len(found.hits(2.0)) == 0
