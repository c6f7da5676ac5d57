"""The front of a run: the objects that no other one beats in all reward terms, derived from its store."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fluvial.metrics.pareto import pareto_front
from fluvial.queue.records import Candidate, ScoredObject
from fluvial.rewards.calls import Failure
from fluvial.rewards.terms import Term
from fluvial.train.table import Cell, Table


@dataclass(frozen=True)
class Front:
    """What objects are worth in each reward term, and which of them are on the front."""

    names: tuple[str, ...]
    """Of the K terms."""
    values: NDArray[np.float64]
    """[N, K], transformed terms; nan where missing, and for filtered objects."""
    is_on: NDArray[np.bool_]
    """[N]."""


def front_of(terms: Sequence[Term], objects: Sequence[Candidate]) -> Front:
    """The front of the objects; all terms count as the larger the better, and equal objects stay together."""
    values = term_values(terms, objects)
    is_on = np.zeros(len(objects), dtype=bool)
    known = np.flatnonzero(np.isfinite(values).all(axis=1))
    if len(known):
        is_on[known] = pareto_front(values[known])
    return Front(tuple(term.name for term in terms), values, is_on)


def term_values(terms: Sequence[Term], objects: Sequence[Candidate | ScoredObject]) -> NDArray[np.float64]:
    """Transformed terms of each object, [N, K]; nan where missing, and for objects without status ok."""
    return np.array([_values(terms, item) for item in objects], dtype=np.float64).reshape(-1, len(terms))


def front_table(objects: Sequence[Candidate], front: Front, text_name: str) -> Table:
    """The objects of the front in order of the first term: text, reward, scores and raw values."""
    rows = sorted(np.flatnonzero(front.is_on).tolist(), key=lambda row: tuple(-front.values[row]))
    chosen = [objects[row] for row in rows]
    scores: dict[str, Sequence[Cell]] = {
        f"score {name}": front.values[rows, place].tolist() for place, name in enumerate(front.names)
    }
    raw: dict[str, Sequence[Cell]] = {
        f"raw {name}": [item.properties.get(name) for item in chosen] for name in front.names
    }
    return {
        text_name: [item.text for item in chosen],
        "reward": [item.reward for item in chosen],
        **scores,
        **raw,
        "first_step": [item.first_step for item in chosen],
    }


def _values(terms: Sequence[Term], item: Candidate | ScoredObject) -> list[float]:
    if item.status != "ok":
        return [math.nan] * len(terms)
    return [_value(term.value, item.properties.get(term.name)) for term in terms]


def _value(transform: Callable[[float], float | Failure], raw: float | None) -> float:
    value = math.nan if raw is None else transform(raw)
    return math.nan if isinstance(value, Failure) else value
