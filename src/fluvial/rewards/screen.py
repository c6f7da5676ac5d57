"""A surrogate that looks at new molecules before a slow oracle does, and lets the promising ones through."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from fluvial.chem.molecules import parse_smiles
from fluvial.core.errors import ConfigError, DataError
from fluvial.predictors.calibration import standard_errors
from fluvial.predictors.fingerprint_fit import ForestFit, ForestSettings, fit_forest
from fluvial.predictors.fingerprint_forest import counts_of


@dataclass(frozen=True)
class ScreenSettings:
    """How a surrogate screens.

    Raises:
        ConfigError: a number out of range.
    """

    share: float = 0.25
    """Of the new molecules of a batch that the oracle is asked about, above 0 and at most 1. Arbitrary."""
    start: int = 300
    """Answers before anything is screened; all molecules pass until then. Arbitrary."""
    growth: float = 1.5
    """A new surrogate is fitted when there are so many times as many answers as the last one knew."""
    optimism: float = 1.0
    """Standard errors that are added to each prediction, so that what is not known passes more easily."""
    explore: float = 0.05
    """Share of all molecules that pass whatever is predicted, so that it is found out where it errs."""
    trees: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.0 < self.share <= 1.0 or not 0.0 <= self.explore <= 1.0:
            raise ConfigError(
                f"a screen with share = {self.share:g} and explore = {self.explore:g}: share must be above 0"
                " and at most 1, and explore from 0 to 1"
            )
        if self.start < 20 or self.growth <= 1.0:
            raise ConfigError(
                f"a screen with start = {self.start} and growth = {self.growth:g}: start must be at least 20,"
                " and growth more than 1"
            )


class Screen:
    """An ensemble of trees on fingerprints, fitted again as answers come.

    In the spirit of Graff et al. 2021, arXiv:2012.07127. What it knows follows from the answers alone, in
    their order, so that a run that is resumed screens as before.
    """

    def __init__(self, settings: ScreenSettings | None = None) -> None:
        self.settings = settings or ScreenSettings()
        self._how = ForestSettings(trees=self.settings.trees, by_scaffold=False, seed=self.settings.seed)
        self._fit: ForestFit | None = None
        self.n_learned = 0
        """Answers that it knows."""

    def due(self, n_answers: int) -> int:
        """How many of `n_answers` a surrogate should know: 0 if none, else a number that grows by steps."""
        settings = self.settings
        if n_answers < settings.start:
            return 0
        steps = math.floor(math.log(n_answers / settings.start) / math.log(settings.growth) + 1e-9)
        return math.ceil(settings.start * settings.growth**steps)

    def learn(self, texts: Sequence[str], values: Sequence[float]) -> None:
        """Fit to as many of the answers as are due, from the first one on, if it does not know them yet.

        Args:
            texts: SMILES.
            values: what the oracle said, finite; the greater the better.
        """
        n = min(self.due(len(texts)), len(texts))
        if n <= self.n_learned:
            return
        molecules, known = [], []
        for text, value in zip(texts[:n], values[:n], strict=True):
            try:
                molecules.append(parse_smiles(text))
            except DataError:
                continue
            known.append(value)
        self.n_learned = n
        # Values that are all alike say nothing about the next one.
        self._fit = fit_forest(molecules, known, "regression", self._how) if len(set(known)) > 1 else None

    def passes(self, texts: Sequence[str]) -> list[bool]:
        """Which of a batch of new molecules the oracle is asked about.

        The best `share` of them by optimistic prediction, and `explore` of the others, chosen by their text;
        all of them while nothing is known. What cannot be read passes, as the oracle has to say why.
        """
        chosen = [self._explores(text) for text in texts]
        fit = self._fit
        if fit is None or not texts:
            return [True] * len(texts)
        molecules = []
        for row, text in enumerate(texts):
            try:
                molecules.append((row, parse_smiles(text)))
            except DataError:
                chosen[row] = True
        if molecules:
            hope = self._hope(fit, [molecule for _, molecule in molecules])
            n_best = math.ceil(self.settings.share * len(molecules))
            for place in np.argsort(-hope, kind="stable")[:n_best]:
                chosen[molecules[place][0]] = True
        return chosen

    def _hope(self, fit: ForestFit, molecules: Sequence[object]) -> NDArray[np.float64]:
        said = fit.forest(counts_of(molecules, self._how.fingerprint))  # type: ignore[arg-type]
        error = standard_errors(said.std(axis=1), *fit.calibration)
        return np.asarray(said.mean(axis=1) + self.settings.optimism * error)

    def _explores(self, text: str) -> bool:
        """A draw that belongs to the text, so that it needs no generator and no memory."""
        seed = self.settings.seed.to_bytes(8, "little", signed=True)
        digest = blake2b(text.encode("utf-8", "replace"), digest_size=8, key=seed).digest()
        return int.from_bytes(digest, "big") < self.settings.explore * 2.0**64
