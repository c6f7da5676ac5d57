"""What a set of scored objects, or a search in the order of its calls, amounts to. Works without torch."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from fluvial.chem.fingerprints import morgan_fingerprints, readable
from fluvial.core.errors import ConfigError
from fluvial.metrics.budget import AUC_BUDGET, auc_top_k, moments, top_k_curve
from fluvial.metrics.molecules import (
    CIRCLE_RADIUS,
    Molecules,
    best_places,
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
from fluvial.queue.records import Candidate, ScoredObject
from fluvial.train.plan import EvaluationPlan

TOP = (10, 100, 1000)
"""Numbers of best objects that are usually looked at."""
CALLED = ("ok", "failed")
"""Statuses of objects that the reward was asked about; the others cost no call."""
REWARD = "reward"

Scored = ScoredObject | Candidate


def judged(objects: Sequence[Scored], by: str) -> list[float]:
    """The value of each object that it is judged by, nan where there is none.

    Args:
        objects: what was scored.
        by: `reward`, or a property by name, which counts only where there is a reward.

    Raises:
        ConfigError: no object has such a property.
    """
    if by == REWARD:
        return [math.nan if item.reward is None else item.reward for item in objects]
    known = sorted({name for item in objects for name in item.properties})
    if objects and by not in known:
        raise ConfigError(f"there is no property '{by}' to judge by; known are {', '.join([REWARD, *known])}")
    values = [item.properties.get(by) if item.status == "ok" else None for item in objects]
    return [math.nan if value is None else value for value in values]


def sample_findings(
    objects: Sequence[ScoredObject],
    seen: Collection[str],
    reference: Sequence[str] | None,
    plan: EvaluationPlan,
    is_molecular: bool,
) -> dict[str, Any]:
    """Numbers about drawn objects, repeats among them.

    Args:
        objects: in order of drawing.
        seen: texts that the run scored while it trained.
        reference: canonical texts of known objects to be new against; None where there are none.
        plan: what is a hit.
        is_molecular: whether texts are SMILES.
    """
    valid = [item for item in objects if item.status != "invalid"]
    texts = [item.text for item in valid]
    different = list({item.text: item for item in valid}.values())
    values = judged(different, plan.by)
    found: dict[str, Any] = {
        "drawn": len(objects),
        "valid": len(valid) / len(objects) if objects else math.nan,
        "unique": uniqueness(texts),
        "unseen": novelty(texts, seen),
        "mean": mean_of_known(judged(valid, plan.by)),
        "top": {str(k): top_k_mean(values, k) for k in TOP},
    }
    if reference is not None:
        found["novel"] = novelty(texts, set(reference))
    if not is_molecular:
        return found | {"hits": _counted(values, plan)}
    mols = molecules([item.text for item in different], values)
    best = mols.best()
    found["diversity"] = {"all": diversity(mols.narrow)} | {
        str(k): diversity(best.narrow[:k]) for k in TOP[1:] if len(best) >= k
    }
    if reference is not None:
        known = morgan_fingerprints([mol for mol in readable(reference) if mol is not None], CIRCLE_RADIUS)
        found["distance_to_known"] = mean_distance_to_known(mols.narrow, known)
    return found | {"hits": _hits(mols, plan)}


def in_order_of_calls(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The objects whose reward was asked for, in that order; the others cost no call."""
    return sorted((item for item in candidates if item.status in CALLED), key=lambda item: item.id)


def call_findings(
    candidates: Sequence[Candidate], plan: EvaluationPlan, is_molecular: bool
) -> dict[str, Any]:
    """What a run had found after so many different objects whose reward was asked for.

    Args:
        candidates: all objects of a run.
        plan: what is a hit.
        is_molecular: whether texts are SMILES.
    """
    called = in_order_of_calls(candidates)
    values, calls = judged(called, plan.by), moments(len(called), plan.n_points)
    found: dict[str, Any] = {
        "calls": len(called),
        "auc_top_10": auc_top_k(values),
        "auc_budget": AUC_BUDGET,
        "at": calls,
        "top": {str(k): top_k_curve(values, k, calls) for k in TOP},
    }
    if not is_molecular:
        return found | {"curve": [{"calls": n, "hits": _counted(values[:n], plan)} for n in calls]}
    places = _worth_a_look(values, calls, plan)
    mols = molecules([called[place].text for place in places], [values[place] for place in places])
    return found | {"curve": [_after(mols, places, count, plan) for count in calls]}


def _after(mols: Molecules, places: Sequence[int], count: int, plan: EvaluationPlan) -> dict[str, Any]:
    """What is known of the first `count` calls; `mols` are those of the calls at `places`, ascending."""
    then = mols.rows(range(int(np.searchsorted(places, count))))
    best = then.best(TOP[1])
    return {"calls": count, "diversity_of_best_100": diversity(best.narrow), "hits": _hits(then, plan)}


def _worth_a_look(values: Sequence[float], calls: Sequence[int], plan: EvaluationPlan) -> list[int]:
    """Places of hits at any time, and of the best 100 after each number of calls, ascending."""
    numbers = np.asarray(values, dtype=np.float64)
    chosen = set(np.flatnonzero(numbers >= min(plan.thresholds)).tolist())
    for count in calls:
        chosen |= set(best_places(numbers[:count])[: TOP[1]].tolist())
    return sorted(chosen)


def _counted(values: Sequence[float], plan: EvaluationPlan) -> list[dict[str, Any]]:
    return [{"from": low, "objects": sum(value >= low for value in values)} for low in plan.thresholds]


def _hits(mols: Molecules, plan: EvaluationPlan) -> list[dict[str, Any]]:
    """Numbers of hits, of their modes by similarity, circles and scaffolds, for each threshold."""
    modes = {
        f"{similarity:g}": n_modes(mols.rewards, mols.wide, plan.thresholds, similarity)
        for similarity in plan.similarities
    }
    scaffolds = n_scaffolds(mols.rewards, mols.scaffolds, plan.thresholds)
    return [
        counted
        | {
            "modes": {name: numbers[row] for name, numbers in modes.items()},
            "circles": n_circles(mols.hits(counted["from"]).narrow),
            "scaffolds": scaffolds[row],
        }
        for row, counted in enumerate(_counted(mols.rewards.tolist(), plan))
    ]


def mean_of_known(values: Sequence[float]) -> float:
    """Mean of the values that are not nan; nan where there is none."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
