"""A reward: SMILES in, one positive number each out, with all that was found out on the way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from fluvial.chem.choices import choose_name
from fluvial.chem.properties import PROPERTIES
from fluvial.core.errors import ConfigError
from fluvial.core.reward_batch import Outcome, RewardBatch
from fluvial.rewards.combine import COMBINE
from fluvial.rewards.filters import Filter
from fluvial.rewards.pool import WorkerPool
from fluvial.rewards.queued import QueuedTerms
from fluvial.rewards.scoring import Scored, Scorer, prepare, score_objects
from fluvial.rewards.terms import Term

DEFAULT_FLOOR = 1e-4
"""Smallest reward, so that its logarithm is finite; arbitrary."""


class Reward:
    """Rewards of molecules from several terms; call it with SMILES.

    Filters come first: a molecule that one rejects gets the floor and is shown to no term. A molecule that
    cannot be parsed is INVALID, one for which a term has no value is FAILED; neither has a reward. Equal
    texts in a batch are scored once.

    Args:
        terms: at least one; their names must differ.
        filters: checked in this order.
        combine: name out of `COMBINE`.
        floor: smallest reward, > 0.
        properties: built-in properties to report beside the terms.
        workers: number of processes that score; 0 scores in this one.
        timeout_seconds: bound on the answer to one batch, which needs workers; None for no bound.
        reads_molecules: whether objects are molecules; else their texts go to the functions as they are.
        queued: those of `terms` that a queue answers; an object without all its answers is PENDING.

    Raises:
        ConfigError: an argument is out of range.
        RewardError: a user's function cannot be loaded.
    """

    def __init__(  # noqa: PLR0913 - the keys of a configuration
        self,
        terms: Sequence[Term],
        *,
        filters: Sequence[Filter] = (),
        combine: str = "product",
        floor: float = DEFAULT_FLOOR,
        properties: Sequence[str] = (),
        workers: int = 0,
        timeout_seconds: float | None = None,
        reads_molecules: bool = True,
        queued: QueuedTerms | None = None,
    ) -> None:
        self.terms = tuple(terms)
        self.term_names = tuple(term.name for term in terms)
        _check_names(self.term_names)
        _check_numbers(floor, workers, timeout_seconds)
        self.floor = floor
        self._weights = np.array([term.weight for term in terms], dtype=np.float64)
        self._combine = COMBINE[choose_name("way to combine", combine, COMBINE)]
        self._combine(np.ones((0, len(terms))), self._weights)  # raises if the weights do not suit it
        chosen = (choose_name("property", name, PROPERTIES) for name in properties)
        further = tuple(name for name in dict.fromkeys(chosen) if name not in self.term_names)
        self._columns = dict.fromkeys((*self.term_names, *further))
        if not reads_molecules:
            _check_takes_texts(terms, filters, further)
        self.sources = {term.name: term.source for term in terms}
        """Name of each term to what calculates it."""
        self.queued = queued
        elsewhere = frozenset[str]() if queued is None else queued.names
        here = tuple(term for term in terms if term.name not in elsewhere)
        later = () if queued is None else queued.terms
        found = [term.name for term in (*here, *later)]
        self._order = [found.index(name) for name in self.term_names]
        self._scorer = Scorer(here, tuple(filters), further, reads_molecules)
        self._pool = WorkerPool(self._scorer, workers, timeout_seconds) if workers else None
        if self._pool is None:
            prepare(self._scorer)

    @property
    def property_names(self) -> tuple[str, ...]:
        """Columns of `RewardBatch.raw`: terms, further properties, and outputs of functions met so far."""
        return tuple(self._columns)

    def __call__(self, smiles: Sequence[str]) -> RewardBatch:
        """Score B molecules; what goes wrong with one of them is said in its row and raises nothing."""
        texts = list(dict.fromkeys(smiles))
        if self.queued is None:
            by_text = dict(zip(texts, self._measure(texts), strict=True))
        else:
            by_text = self.queued(texts, self._measure)
        return self._assemble([by_text[text] for text in smiles])

    def _measure(self, texts: Sequence[str]) -> list[Scored]:
        """What is found out here and now."""
        return self._pool.score(texts) if self._pool else score_objects(self._scorer, texts)

    def close(self) -> None:
        """End the worker processes, if there are any; the reward cannot be called any more."""
        if self._pool is not None:
            self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def formula(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rewards float64 [B] of transformed terms float64 [B, K]; nan where one is."""
        with np.errstate(invalid="ignore"):
            found: NDArray[np.float64] = np.maximum(self._combine(values, self._weights), self.floor)
        return found

    def _assemble(self, scored: Sequence[Scored]) -> RewardBatch:
        n_terms = len(self.term_names)
        # What was not queued, as a term failed before, has values of the other terms only.
        rows = [[*one.values, *[math.nan] * (n_terms - len(one.values))] for one in scored]
        values = np.array(rows, dtype=np.float64).reshape(len(scored), n_terms)[:, self._order]
        outcome = np.array([one.outcome for one in scored], dtype=np.int8)
        info = [one.info for one in scored]
        reward = self.formula(values)
        reward[outcome == Outcome.FILTERED] = self.floor
        for row in np.flatnonzero((outcome == Outcome.VALUE) & ~np.isfinite(reward)):
            reward[row], outcome[row], info[row] = math.nan, Outcome.FAILED, "the terms combine to infinity"
        for one in scored:
            self._columns.update(dict.fromkeys(one.raw))
        raw = {name: np.array([one.raw.get(name, math.nan) for one in scored]) for name in self._columns}
        return RewardBatch(reward, values, raw, outcome, info)


def _check_names(names: Sequence[str]) -> None:
    if not names:
        raise ConfigError("a reward needs at least one term")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"two reward terms are called '{twice[0]}': give one of them another name")


def _check_takes_texts(terms: Sequence[Term], filters: Sequence[Filter], properties: Sequence[str]) -> None:
    needs = [term.name for term in terms if term.kind not in ("function", "oracle")]
    needs += [check.name for check in filters] + list(properties)
    if needs:
        raise ConfigError(f"'{needs[0]}' needs molecules, and these objects are none: use functions of yours")


def _check_numbers(floor: float, workers: int, timeout_seconds: float | None) -> None:
    if not (math.isfinite(floor) and floor > 0.0):
        raise ConfigError(f"the reward's floor = {floor:g} must be greater than 0")
    if workers < 0:
        raise ConfigError(f"the reward's workers = {workers} must be at least 0")
    if timeout_seconds is not None and not timeout_seconds > 0.0:
        raise ConfigError(f"the reward's time-out = {timeout_seconds:g} s must be greater than 0")
    if timeout_seconds is not None and not workers:
        raise ConfigError("a time-out of the reward needs worker processes: set workers to at least 1")
