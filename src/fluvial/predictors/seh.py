"""The published proxy for binding to soluble epoxide hydrolase (sEH): molecules to scores."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from rdkit.Chem import Mol
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from fluvial.assets.arrays import read_arrays
from fluvial.assets.registry import cache_folder, fetch, find
from fluvial.core.errors import AssetError, StorageError
from fluvial.core.files import make_folder, write_bytes_atomic
from fluvial.predictors.predictions import Predictions, in_batches
from fluvial.predictors.seh_features import pack, read
from fluvial.predictors.seh_network import LAYOUT, SehNetwork, build_network

ASSET = "seh-proxy"
VERSION = 1
"""Of the names in the converted file."""
MOLECULES_AT_ONCE = 64
"""Bounds memory, and keeps what a step works on in the processor's cache; measured: 512 are slower."""


@dataclass(frozen=True)
class SehProxy:
    """Scores of molecules: minus a docking score against sEH (PDB 4JNC), normalised; 8 is very good.

    As used in Bengio et al. 2021 (arXiv:2106.04399). Random molecules of fragments get about 1 to 4.
    """

    network: SehNetwork

    def __call__(self, mols: Sequence[Mol]) -> Predictions:
        """A score for each molecule; elements above barium and unusual bonds have none."""
        return in_batches(
            [read(mol) for mol in mols],
            lambda readable: self.network(pack(readable)).double().tolist(),
            MOLECULES_AT_ONCE,
        )


def load_seh_proxy() -> SehProxy:
    """The proxy with the published weights, which are fetched and converted on first use.

    Raises:
        AssetError: the weights are not here and cannot be downloaded, or are not as expected.
    """
    return SehProxy(build_network(seh_weights()))


def seh_weights() -> dict[str, Tensor]:
    """The weights by the names of `LAYOUT`, out of the cache if they were converted before.

    Raises:
        AssetError: the published file is not here and cannot be downloaded, or is not as expected.
    """
    converted = cache_folder() / f"seh-proxy-v{VERSION}-{find(ASSET).sha256[:16]}.safetensors"
    if converted.is_file():
        # A damaged file of ours is made anew.
        with suppress(SafetensorError, OSError, AssetError):
            return _checked(load_file(converted), converted)
    source = fetch(ASSET)
    arrays = read_arrays(source)
    named = {name: arrays[place] for name, (place, _) in LAYOUT.items() if place < len(arrays)}
    weights = _checked({name: torch.from_numpy(array) for name, array in named.items()}, source)
    # The file only saves time: where the cache cannot be written, the next run converts again.
    with suppress(StorageError):
        make_folder(converted.parent)
        write_bytes_atomic(converted, save({name: weight.contiguous() for name, weight in weights.items()}))
    return weights


def _checked(weights: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    for name, (_, shape) in LAYOUT.items():
        if name not in weights or tuple(weights[name].shape) != shape:
            raise AssetError(f"{path} does not hold the weights of the sEH proxy: '{name}' is not {shape}.")
        if weights[name].dtype != torch.float32 or not bool(weights[name].isfinite().all()):
            raise AssetError(f"{path}: '{name}' of the sEH proxy is not made of finite float32 numbers.")
    return weights
