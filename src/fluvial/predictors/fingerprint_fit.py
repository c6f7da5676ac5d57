"""A random forest on Morgan fingerprints: from a table of molecules and numbers to a predictor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rdkit.Chem import Mol

from fluvial.core.errors import ConfigError, DataError
from fluvial.predictors import calibration
from fluvial.predictors.fingerprint_forest import FingerprintSettings, counts_of
from fluvial.predictors.forest import Forest, forest_of_trees
from fluvial.predictors.scaffold_split import scaffold_split
from fluvial.predictors.split import FEWEST, Split

LEAVES = 5000
"""Most leaves of a tree, about: larger tables get larger leaves, and the file stays small. Arbitrary."""


@dataclass(frozen=True)
class ForestSettings:
    """How to learn. The defaults are usual ones."""

    fingerprint: FingerprintSettings = field(default_factory=FingerprintSettings)
    trees: int = 200
    share: float = 0.1
    """Of the molecules that is held out; as many calibrate."""
    by_scaffold: bool = True
    """Whether no scaffold is on both sides of the split."""
    seed: int = 0


@dataclass(frozen=True)
class ForestFit:
    """A forest, how sure it is, and what it was worth."""

    forest: Forest
    task: str
    """"regression" or "classification"."""
    split: Split
    calibration: tuple[float, float]
    """Of `calibration.fitted_spread` or `calibration.fitted_logistic`."""
    errors: dict[str, float]
    """On the held-out molecules."""
    table: dict[str, Any]
    """How well the uncertainty fits on the held-out molecules."""


def fit_forest(mols: Sequence[Mol], targets: Sequence[float], task: str, how: ForestSettings) -> ForestFit:
    """A forest that predicts numbers, or the probability of a one.

    Args:
        mols: molecules.
        targets: as many finite numbers; 0 and 1 for classification.
        task: "regression" or "classification".
        how: how to learn.

    Raises:
        ConfigError: scikit-learn is not installed.
        DataError: too few molecules, all alike, or labels that are not 0 and 1.
    """
    y = np.asarray(targets, dtype=np.float64)
    split = _split(mols, how)
    _check(y, task, split)
    x = counts_of(mols, how.fingerprint)
    train, calibrate, held_out = (np.array(part) for part in (split.train, split.choose, split.held_out))
    forest = _learned(x[train], y[train], task, how)
    said, seen = forest(x[calibrate]), forest(x[held_out])
    if task == "classification":
        found = calibration.fitted_logistic(said.mean(axis=1), y[calibrate])
        probability = calibration.logistic(seen.mean(axis=1), *found)
        errors, table = _class_errors(probability, y[held_out], float(y[train].mean()))
    else:
        found = calibration.fitted_spread(said.mean(axis=1) - y[calibrate], said.std(axis=1))
        sure = calibration.standard_errors(seen.std(axis=1), *found)
        errors, table = _number_errors(seen.mean(axis=1), sure, y[held_out], float(y[train].mean()))
    return ForestFit(forest, task, split, found, errors, table)


def _split(mols: Sequence[Mol], how: ForestSettings) -> Split:
    if how.by_scaffold:
        return scaffold_split(mols, how.share, how.seed)
    count, n_out = len(mols), max(1, round(len(mols) * how.share))
    if count < FEWEST or count - 2 * n_out < 1:
        raise DataError(f"{count} molecules with a value are too few to learn from; give {FEWEST} or more.")
    order = [int(place) for place in np.random.default_rng(how.seed).permutation(count)]
    return Split(tuple(order[2 * n_out :]), tuple(order[n_out : 2 * n_out]), tuple(order[:n_out]))


def _check(y: NDArray[np.float64], task: str, split: Split) -> None:
    known = y[list(split.train)]
    if task == "classification" and (strange := sorted(set(y.tolist()) - {0.0, 1.0})):
        raise DataError(
            f"classes must be 0 and 1; there is {strange[0]:g}. Use the task regression for numbers."
        )
    if np.ptp(known) == 0.0:
        raise DataError(f"all molecules to learn from have the same value, {known[0]:g}.")


def _learned(x: NDArray[np.float32], y: NDArray[np.float64], task: str, how: ForestSettings) -> Forest:
    try:
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    except ImportError:
        raise ConfigError("scikit-learn is missing: pip install 'fluvial[proxy]'") from None
    shape: dict[str, Any] = {
        "n_estimators": how.trees,
        "random_state": how.seed,
        "max_features": "sqrt" if task == "classification" else 0.1,
        "min_samples_leaf": max(1, len(y) // LEAVES),
    }
    kind = RandomForestClassifier if task == "classification" else RandomForestRegressor
    model = kind(**shape).fit(x, y)
    trees = [one.tree_ for one in model.estimators_]
    # Of a class a node has the share of each; of a number the mean.
    values = [
        tree.value[:, 0, -1] / tree.value[:, 0].sum(axis=1)
        if task == "classification"
        else tree.value[:, 0, 0]
        for tree in trees
    ]
    return forest_of_trees(trees, values)


def _number_errors(
    predicted: NDArray[np.float64], sure: NDArray[np.float64], true: NDArray[np.float64], mean: float
) -> tuple[dict[str, float], dict[str, Any]]:
    error = predicted - true
    spread = float(((true - true.mean()) ** 2).sum())
    errors = {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "r2": 1.0 - float((error**2).sum()) / spread if spread > 0 else float("nan"),
        "mae_of_mean": float(np.abs(true - mean).mean()),
        "mean_standard_error": float(sure.mean()),
    }
    return errors, {"coverage": calibration.coverage(error, sure)}


def _class_errors(
    probability: NDArray[np.float64], label: NDArray[np.float64], share: float
) -> tuple[dict[str, float], dict[str, Any]]:
    table = calibration.reliability(probability, label)
    errors = {
        "roc_auc": calibration.area_under_curve(probability, label),
        "brier": float(((probability - label) ** 2).mean()),
        "brier_of_mean": float(((share - label) ** 2).mean()),
        "calibration_error": sum(abs(mean - ones) * count for mean, ones, count in table) / len(label),
    }
    return errors, {"reliability": [list(row) for row in table]}
