"""SCScore: how many reactions a molecule seems to be away from what can be bought, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rdkit import DataStructs, rdBase
from rdkit.Chem import Mol, rdFingerprintGenerator

from fluvial.assets.arrays import read_arrays
from fluvial.assets.registry import fetch
from fluvial.core.errors import AssetError
from fluvial.predictors.predictions import Predictions, assembled

ASSET = "scscore"
N_BITS = 1024
RADIUS = 2
SCALE = 5.0
"""Scores lie between 1 and this."""


@dataclass(frozen=True)
class ScScore:
    """The network of Coley et al. 2018, doi:10.1021/acs.jcim.7b00622."""

    weights: tuple[NDArray[np.float64], ...]
    """Matrix [inputs, outputs] and bias [outputs] of each layer in turn."""

    def __call__(self, mols: Sequence[Mol]) -> Predictions:
        """Scores from 1, easy, to 5, hard."""
        scores = self.scores(_bits(mols)) if mols else np.zeros(0)
        return assembled(dict(enumerate(scores.tolist())), {}, len(mols))

    def scores(self, bits: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64 [B], scores of fingerprints float64 [B, 1024]."""
        values = bits
        for matrix, bias in zip(self.weights[::2], self.weights[1::2], strict=True):
            # Bits are never negative, so that the first layer takes them as they are.
            values = np.maximum(values, 0.0) @ matrix + bias
        return np.asarray(1 + (SCALE - 1) / (1 + np.exp(-values[:, 0])))


def load_scscore() -> ScScore:
    """The published network.

    Raises:
        AssetError: its file cannot be had, or holds other arrays.
    """
    path = fetch(ASSET)
    weights = tuple(array.astype(np.float64) for array in read_arrays(path))
    width = N_BITS
    for matrix, bias in zip(weights[::2], weights[1::2], strict=False):
        if matrix.ndim != 2 or matrix.shape != (width, len(bias)):
            raise AssetError(f"{path}: holds other arrays than the network of SCScore; fetch it again.")
        width = len(bias)
    if width != 1 or len(weights) % 2:
        raise AssetError(f"{path}: holds other arrays than the network of SCScore; fetch it again.")
    return ScScore(weights)


def _bits(mols: Sequence[Mol]) -> NDArray[np.float64]:
    with rdBase.BlockLogs():
        generator = rdFingerprintGenerator.GetMorganGenerator(
            radius=RADIUS, fpSize=N_BITS, includeChirality=True
        )
        texts = [DataStructs.BitVectToBinaryText(generator.GetFingerprint(mol)) for mol in mols]
    packed = np.frombuffer(b"".join(texts), np.uint8).reshape(len(mols), -1)
    return np.unpackbits(packed, axis=1, bitorder="little").astype(np.float64)
