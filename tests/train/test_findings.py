from __future__ import annotations

import math

import pytest

from fluvial.core.errors import ConfigError
from fluvial.queue.records import Candidate, ScoredObject
from fluvial.train.findings import call_findings, judged, sample_findings
from fluvial.train.plan import EvaluationPlan, planned

PLAN = EvaluationPlan(thresholds=(0.5, 0.8), similarities=(0.5,))
BENZENE, TOLUENE, ETHANOL = "c1ccccc1", "Cc1ccccc1", "CCO"


def candidate(
    key: int, text: str, reward: float | None, status: str = "ok", **properties: float
) -> Candidate:
    return Candidate(key, text, reward, status, "", dict(properties), 1, 0)


def test_objects_are_judged_by_reward_or_by_a_property():
    objects = [
        ScoredObject("a", 0.5, properties={"seh": 7.0}),
        ScoredObject("b", 1e-4, "filtered", properties={"seh": 9.0}),
        ScoredObject("c", None, "failed"),
    ]
    assert judged(objects, "reward") == pytest.approx([0.5, 1e-4, math.nan], nan_ok=True)
    assert judged(objects, "seh") == pytest.approx([7.0, math.nan, math.nan], nan_ok=True)
    with pytest.raises(ConfigError, match="no property 'qed' to judge by; known are reward, seh"):
        judged(objects, "qed")


def test_drawn_molecules_by_hand():
    objects = [
        ScoredObject(BENZENE, 0.9),
        ScoredObject(TOLUENE, 0.6),
        ScoredObject(BENZENE, 0.9),
        ScoredObject(ETHANOL, 0.1),
        ScoredObject("X", None, "invalid"),
    ]
    found = sample_findings(objects, {ETHANOL}, [ETHANOL, TOLUENE], PLAN, is_molecular=True)
    assert found["drawn"] == 5
    assert found["valid"] == 0.8
    assert found["unique"] == 0.75
    assert found["unseen"] == pytest.approx(2 / 3)
    assert found["novel"] == pytest.approx(1 / 3)
    assert found["mean"] == pytest.approx((0.9 + 0.6 + 0.9 + 0.1) / 4)
    assert math.isnan(found["top"]["10"])
    # Benzene and toluene share 3 of 15 bits of radius 3: two modes; both have the one scaffold.
    assert [hits["objects"] for hits in found["hits"]] == [2, 1]
    assert [hits["scaffolds"] for hits in found["hits"]] == [1, 1]
    assert found["hits"][0]["modes"] == {"0.5": 2}
    assert 0.5 < found["diversity"]["all"] < 1.0
    assert 0.0 < found["distance_to_known"] < 0.5


def test_drawn_words_have_no_fingerprints():
    found = sample_findings([ScoredObject("AC", 0.9)], (), None, PLAN, is_molecular=False)
    assert found["hits"] == [{"from": 0.5, "objects": 1}, {"from": 0.8, "objects": 1}]
    assert "novel" not in found


def test_calls_are_in_order_of_asking_and_failures_count():
    candidates = [
        candidate(3, BENZENE, 0.9),
        candidate(1, ETHANOL, 0.1),
        candidate(2, "CC", None, "failed"),
        candidate(4, "CN", 1e-4, "filtered"),
    ]
    found = call_findings(candidates, PLAN, is_molecular=True)
    assert found["calls"] == 3
    assert found["at"] == [1, 2, 3]
    # Means of the best: 0.1, 0.1, then (0.1 + 0.9) / 2; the budget of 10,000 is looked at once, at the end.
    assert found["auc_top_10"] == pytest.approx((3 * 0.25 + 9_997 * 0.5) / 10_000)
    assert found["curve"][-1]["calls"] == 3
    assert [hits["objects"] for hits in found["curve"][-1]["hits"]] == [1, 1]
    assert call_findings([], PLAN, is_molecular=True)["calls"] == 0


def test_usual_budgets_look_at_what_was_known_then():
    """A thousand poor molecules, then a good one."""
    candidates = [candidate(key, "C" * key, 0.2) for key in range(1, 1001)]
    candidates.append(candidate(1001, BENZENE, 0.9))
    found = call_findings(candidates, PLAN, is_molecular=True)
    points = {point["calls"]: point["hits"][0]["objects"] for point in found["curve"]}
    assert len(points) == 11
    assert (points[901], points[1000], points[1001]) == (0, 0, 1)
    assert found["top"]["10"][0] == pytest.approx(0.2)
    assert found["top"]["10"][-1] == pytest.approx((9 * 0.2 + 0.9) / 10)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"samples": 5}, "no choice 'samples' of an evaluation; known are n_samples"),
        ({"n_paths": 1}, "n_paths = 1 must be at least 2"),
        ({"n_samples": -1}, "n_samples = -1 must be at least 0"),
        ({"thresholds": []}, "thresholds must hold at least one"),
        ({"similarities": [1.5]}, "similarities: 1.5 must be"),
    ],
)
def test_plans_out_of_range_are_refused(choices, message):
    with pytest.raises(ConfigError, match=message):
        planned(choices)


def test_a_plan_takes_lists():
    assert planned({"thresholds": [7, 8], "by": "seh"}) == EvaluationPlan(thresholds=(7, 8), by="seh")
