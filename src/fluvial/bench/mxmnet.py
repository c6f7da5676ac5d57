"""MXMNet against a ridge regression on fingerprints, on orbital gaps of molecules that come with RDKit."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rdkit import Chem, RDConfig

from fluvial.chem.molecules import parse_smiles
from fluvial.core.errors import ConfigError, DataError
from fluvial.predictors.atom_graph import AtomGraph, graph_of
from fluvial.predictors.fitting import FitSettings, fit, split_of
from fluvial.predictors.gap import extended_hueckel_gap
from fluvial.predictors.geometry import embed
from fluvial.predictors.mxmnet import MxmnetSettings
from fluvial.predictors.split import Split

PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Of the ridge; the best one on the molecules that also choose the network's epoch is used."""


@dataclass(frozen=True)
class Gaps:
    """Molecules with the gap that extended Hückel theory gives them."""

    mols: list[Chem.Mol]
    graphs: list[AtomGraph]
    values: NDArray[np.float64]
    """eV."""


def run(
    molecules: int = 2000,
    heavy_atoms: int = 14,
    width: int = 32,
    layers: int = 2,
    epochs: int = 25,
    seed: int = 0,
    threads: int = 1,
) -> dict[str, Any]:
    """Errors of MXMNet and of a fingerprint ridge on held-out orbital gaps of bundled molecules.

    The molecules are the first ones of RDKit's file of NCI with at most `heavy_atoms` atoms other than
    hydrogen. A tenth is held out, another tenth chooses the epoch and the penalty of the ridge.

    Raises:
        ConfigError: there are not as many such molecules.
    """
    torch.set_num_threads(threads)
    start = time.process_time()
    settings = MxmnetSettings((1, 6, 7, 8, 9, 16, 17), width, layers)
    gaps = bundled_gaps(molecules, heavy_atoms, settings)
    prepared = time.process_time()
    how = FitSettings(epochs=epochs, seed=seed)
    found = fit(gaps.graphs, gaps.values.tolist(), settings, how)
    fitted = time.process_time()
    ridge = ridge_error(gaps, split_of(molecules, how.held_out, seed))
    return {
        "benchmark": "mxmnet",
        "molecules": molecules,
        "held_out": len(found.split.held_out),
        "epochs": found.epochs,
        "mxmnet_mae_ev": found.errors["mae"],
        "mxmnet_r2": found.errors["r2"],
        "ridge_mae_ev": ridge,
        "mean_mae_ev": found.errors["mae_of_mean"],
        "prepare_cpu_seconds": prepared - start,
        "fit_cpu_seconds": fitted - prepared,
    }


def bundled_gaps(count: int, heavy_atoms: int, settings: MxmnetSettings) -> Gaps:
    """The first `count` suitable molecules of RDKit's file of NCI.

    Raises:
        ConfigError: there are fewer.
    """
    path = Path(RDConfig.RDDataDir) / "NCI" / "first_5K.smi"
    mols: list[Chem.Mol] = []
    graphs: list[AtomGraph] = []
    values: list[float] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        found = _example(line.split()[0], heavy_atoms, settings) if line.strip() else None
        if found is not None:
            mols.append(found[0])
            graphs.append(found[1])
            values.append(found[2])
        if len(mols) == count:
            return Gaps(mols, graphs, np.array(values))
    raise ConfigError(
        f"molecules = {count}: {path} has {len(mols)} suitable ones; take fewer, or larger ones"
    )


def _example(
    text: str, heavy_atoms: int, settings: MxmnetSettings
) -> tuple[Chem.Mol, AtomGraph, float] | None:
    try:
        mol = parse_smiles(text)
    except DataError:
        return None
    if mol.GetNumHeavyAtoms() > heavy_atoms:
        return None
    if any(atom.GetAtomicNum() not in settings.elements for atom in mol.GetAtoms()):
        return None
    geometry = embed(mol)
    if isinstance(geometry, str):
        return None
    gap, graph = extended_hueckel_gap(geometry), graph_of(geometry, settings.elements, settings.cutoff)
    return None if isinstance(gap, str) or isinstance(graph, str) else (mol, graph, gap)


def ridge_error(gaps: Gaps, split: Split) -> float:
    """Mean absolute error in eV on the held-out molecules of the best ridge on Morgan counts, radius 2."""
    from rdkit.Chem import rdFingerprintGenerator

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    counts = np.array([generator.GetCountFingerprintAsNumPy(mol) for mol in gaps.mols], dtype=np.float64)
    errors = [_errors_of(counts, gaps.values, split, penalty) for penalty in PENALTIES]
    return min(errors)[1]


def _errors_of(
    features: NDArray[np.float64], values: NDArray[np.float64], split: Split, penalty: float
) -> tuple[float, float]:
    """Of the choosing and of the held-out molecules, with least squares in the dual form."""
    rows = list(split.train)
    centre, mean = features[rows].mean(axis=0), float(values[rows].mean())
    known = features[rows] - centre
    dual = np.linalg.solve(known @ known.T + penalty * np.eye(len(rows)), values[rows] - mean)
    weights = known.T @ dual

    def error(places: Sequence[int]) -> float:
        chosen = list(places)
        return float(np.abs((features[chosen] - centre) @ weights + mean - values[chosen]).mean())

    return error(split.choose), error(split.held_out)
