from __future__ import annotations

import numpy as np
import pytest

from fluvial.bench.trade_offs import WEIGHTS, growth, response, run
from fluvial.queue.records import Candidate
from fluvial.rewards.terms import property_term
from fluvial.rewards.transforms import make_transform

TERMS = tuple(
    property_term(name, label=name, transform=make_transform("clip", low=0.0, high=1.0), weight=1.0)
    for name in ("qed", "logp")
)


def scored(number: int, **properties: float | None) -> Candidate:
    return Candidate(number, f"object {number}", 0.5, "ok", "", dict(properties), 1, 1)


def test_the_response_is_a_rank_correlation_over_all_objects() -> None:
    rising = [np.full(3, weight) for weight in WEIGHTS]
    assert response(rising) == pytest.approx(1.0)
    assert response(rising[::-1]) == pytest.approx(-1.0)
    # Scores 0 and 1 at every weight say nothing of it.
    assert response([np.array([0.0, 1.0])] * len(WEIGHTS)) == pytest.approx(0.0)


def test_the_hypervolume_grows_with_the_objects_and_skips_unknown_ones() -> None:
    objects = [scored(n, qed=0.5, logp=0.5) for n in range(4)]
    objects += [scored(4, qed=None, logp=0.9), scored(5, qed=1.0, logp=0.25)]
    objects += [scored(n, qed=0.25, logp=1.0) for n in range(6, 8)]
    # Boxes from 0: 1/2 x 1/2; then 1/2 x 1/4 more beyond 1/2; then 1/4 x 1/2 more above 1/2.
    assert growth(TERMS, objects) == pytest.approx([0.25] * 5 + [0.375, 0.5, 0.5])


@pytest.mark.long
def test_a_short_run_is_asked_for_each_term() -> None:
    found = run(task="qm9_moo", steps=3, draws=4)
    (row,) = found["seeds"]
    assert set(row["response"]) == set(row["response_of_objects"]) == {"gap", "qed", "sa", "mw"}
    ranks = response([np.array([mean]) for mean in row["mean_scores"]["qed"]])
    assert row["response"]["qed"] == pytest.approx(ranks)
    assert len(row["hypervolume"]) == 8
    assert row["hypervolume"] == sorted(row["hypervolume"])
