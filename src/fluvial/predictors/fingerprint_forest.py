"""A fitted forest on fingerprints in a file, and its predictions. The file holds no code."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rdkit import rdBase
from rdkit.Chem import Mol, rdFingerprintGenerator
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from fluvial.core.errors import ConfigError, DataError
from fluvial.core.files import make_folder, write_bytes_atomic
from fluvial.predictors import calibration
from fluvial.predictors.card import FORMAT, KEY, read_card
from fluvial.predictors.forest import Forest, forest_of_arrays
from fluvial.predictors.predictions import Predictions, assembled

if TYPE_CHECKING:
    from fluvial.predictors.fingerprint_fit import ForestFit, ForestSettings

NETWORK = "forest"
AT_ONCE = 512


@dataclass(frozen=True)
class FingerprintSettings:
    """Counts of Morgan's neighbourhoods (Rogers and Hahn 2010), folded."""

    radius: int = 2
    n_bits: int = 2048


def counts_of(mols: Sequence[Mol], settings: FingerprintSettings) -> NDArray[np.float32]:
    """How often each neighbourhood is there, [B, n_bits]."""
    with rdBase.BlockLogs():
        generator = rdFingerprintGenerator.GetMorganGenerator(radius=settings.radius, fpSize=settings.n_bits)
        rows = [generator.GetCountFingerprintAsNumPy(mol) for mol in mols]
    return np.array(rows, dtype=np.float32).reshape(len(mols), settings.n_bits)


@dataclass(frozen=True)
class ForestProxy:
    """Predictions of a fitted forest: numbers in the unit of the target, or calibrated probabilities."""

    forest: Forest
    card: Mapping[str, Any]
    pessimism: float = 0.0
    """Standard errors that are subtracted from each prediction."""

    def __call__(self, mols: Sequence[Mol]) -> Predictions:
        """A value for each molecule."""
        values: dict[int, float] = {}
        for start in range(0, len(mols), AT_ONCE):
            part = mols[start : start + AT_ONCE]
            value, error = self.with_errors(part)
            values |= {start + row: float(one) for row, one in enumerate(value - self.pessimism * error)}
        return assembled(values, {}, len(mols))

    def with_errors(self, mols: Sequence[Mol]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Predictions and their standard errors, [B] each; a probability has the error 0."""
        said = self.forest(counts_of(mols, FingerprintSettings(**self.card["settings"])))
        first, second = self.card["calibration"]
        if self.card["task"] == "classification":
            return calibration.logistic(said.mean(axis=1), first, second), np.zeros(len(mols))
        return said.mean(axis=1), calibration.standard_errors(said.std(axis=1), first, second)


def forest_card(
    fit: ForestFit, how: ForestSettings, target: str, unit: str, source: Mapping[str, Any]
) -> dict[str, Any]:
    """All that is to be known of a fitted forest beside its arrays, as plain values."""
    split = fit.split
    return {
        "format": FORMAT,
        "network": NETWORK,
        "task": fit.task,
        "settings": asdict(how.fingerprint),
        "trees": how.trees,
        "split": "scaffolds" if how.by_scaffold else "random",
        "target": target,
        "unit": unit,
        "n_train": len(split.train),
        "n_choose": len(split.choose),
        "n_held_out": len(split.held_out),
        "held_out_rows": list(split.held_out),
        "calibration": list(fit.calibration),
        "errors": fit.errors,
        **fit.table,
        **source,
    }


def save_forest(path: Path, forest: Forest, card: Mapping[str, Any]) -> None:
    """Write a forest and its card, whole or not at all.

    Raises:
        StorageError: the file cannot be written.
    """
    make_folder(path.parent)
    write_bytes_atomic(path, save(forest.arrays(), {KEY: json.dumps(card)}))


def load_forest(path: Path, pessimism: float = 0.0) -> ForestProxy:
    """The forest of a file.

    Raises:
        ConfigError: pessimism is asked of a classifier.
        DataError: as `read_card`, or the arrays do not fit the card.
    """
    card = read_card(path)
    if pessimism and card["task"] == "classification":
        raise ConfigError(
            f"{path}: pessimism = {pessimism:g}: a probability has no standard error; leave it out"
        )
    try:
        forest = forest_of_arrays(load_file(path))
        FingerprintSettings(**card["settings"])
        if int(forest.feature.max()) >= card["settings"]["n_bits"]:
            raise DataError("a tree asks for a feature that the fingerprint does not have")
    except (DataError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: its arrays do not fit what it says of itself ({error}).") from None
    return ForestProxy(forest, card, pessimism)
