"""Another formula for a run that goes on: new rewards for all that is stored, and nobody is asked again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from fluvial.config.resume import formula_of
from fluvial.config.run_config import RunConfig
from fluvial.core.errors import DataError
from fluvial.queue.records import ScoredObject
from fluvial.queue.store import Store
from fluvial.replay.rescore import rescore
from fluvial.rewards.calls import Failure
from fluvial.rewards.reward import Reward
from fluvial.train.build import Pieces
from fluvial.train.checkpoint import Checkpoint
from fluvial.train.gather import as_tensors
from fluvial.train.run import Run, save


def is_of_another_formula(before: RunConfig, after: RunConfig, checkpoint: Checkpoint, store: Store) -> bool:
    """Whether stored rewards are not those of the configuration `after`.

    Checkpoint and store each say by which formula theirs are, so that a kill while both change leaves a run
    that mends itself. Those of older runs say nothing: they have that of the configuration `before`,
    unless the store says that a change has begun.
    """
    wanted = formula_of(after)
    if "formula" not in checkpoint.state:
        return store.formula is not None or formula_of(before) != wanted
    return checkpoint.state["formula"] != wanted or store.formula not in (None, wanted)


def rescore_store(pieces: Pieces, store: Store) -> int:
    """How many objects were given new rewards, out of the raw values that the store keeps.

    Raises:
        DataError: an object would lose its reward; nothing is changed.
    """
    reward, formula = pieces.reward, formula_of(pieces.config)
    assert isinstance(reward, Reward)
    assert formula is not None
    return store.rescore(lambda objects: with_new_rewards(reward, objects), formula)


def rescore_replay(run: Run) -> None:
    """Give stored trajectories the rewards of the store, and save the run."""

    def stored(texts: list[str]) -> tuple[Tensor, Tensor]:
        known = run.store.known(texts)
        return as_tensors(run.problem, [known[text] for text in texts])

    if len(run.learner.replay):
        rescore(run.learner.replay, run.problem.env, stored)
    save(run)


def with_new_rewards(reward: Reward, objects: Sequence[ScoredObject]) -> list[ScoredObject]:
    """The objects as `reward` scores their raw values.

    Raises:
        DataError: one that had a reward has none now.
    """
    measured = [_values(reward, item) for item in objects]
    rows = [values if isinstance(values, list) else [math.nan] * len(reward.terms) for values in measured]
    found = reward.formula(np.array(rows, dtype=np.float64).reshape(len(rows), len(reward.terms)))
    return [
        _scored(item, values, float(number), reward.floor)
        for item, values, number in zip(objects, measured, found, strict=True)
    ]


def _values(reward: Reward, item: ScoredObject) -> list[float] | str:
    """The transformed terms, or why there are none; empty where that is not for the formula to say."""
    values: list[float] = []
    for term in reward.terms:
        raw = item.properties.get(term.name)
        if raw is None or not math.isfinite(raw):
            return ""
        value = term.value(raw)
        if isinstance(value, Failure):
            return f"term '{term.name}': {value.reason}"
        values.append(value)
    return values


def _scored(item: ScoredObject, values: list[float] | str, number: float, floor: float) -> ScoredObject:
    if item.status == "filtered":
        return replace(item, reward=floor)
    if item.status == "invalid" or values == "":
        return item
    reason = (
        values
        if isinstance(values, str)
        else ("" if math.isfinite(number) else "the terms combine to infinity")
    )
    if not reason:
        return replace(item, reward=number, status="ok", reason="")
    if item.status == "ok":
        raise DataError(
            f"{item.text} had a reward and has none by the new formula: {reason}. Choose transforms that give"
            " all stored objects a score of at least 0, or start a new run"
        )
    return replace(item, reason=reason)
