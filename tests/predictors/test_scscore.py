from __future__ import annotations

import math
import os

import numpy as np
import pytest
from rdkit import Chem

from fluvial.assets.registry import FOLDER_VARIABLE
from fluvial.core.errors import AssetError
from fluvial.predictors import scscore
from fluvial.predictors.scscore import ScScore, load_scscore

with_weights = pytest.mark.skipif(
    not os.environ.get(FOLDER_VARIABLE), reason="needs the public files in the folder named by FLUVIAL_ASSETS"
)


@with_weights
@pytest.mark.parametrize(
    ("smiles", "expected"),
    [
        ("CCCOCCC", 1.4323),
        ("CCCNc1ccccc1", 1.8913),
        ("CC(=O)Oc1ccccc1C(=O)O", 1.5931),
        ("CC1(C(N2C(S1)C(C2=O)NC(=O)CC3=CC=CC=C3)C(=O)O)C", 2.8987),
    ],
)
def test_published_values(smiles, expected):
    assert load_scscore()([Chem.MolFromSmiles(smiles)]).values[0] == pytest.approx(expected, abs=1e-4)


def test_a_network_by_hand():
    """Two bits, a hidden layer of two: relu(1 - 2), relu(1 + 0.5); then 2 * 1.5 - 1 = 2."""
    network = ScScore(
        (
            np.array([[1.0, 1.0], [0.0, 5.0]]),
            np.array([-2.0, 0.5]),
            np.array([[7.0], [2.0]]),
            np.array([-1.0]),
        )
    )
    expected = 1 + 4 / (1 + math.exp(-2.0))
    assert network.scores(np.array([[1.0, 0.0]])).tolist() == pytest.approx([expected])


def test_no_molecules_have_no_scores():
    assert ScScore(())([]).values.shape == (0,)


@pytest.mark.parametrize(
    "arrays",
    [
        [],
        [np.zeros((1024, 2)), np.zeros(2)],
        [np.zeros((7, 1)), np.zeros(1)],
        [np.zeros((1024, 1)), np.zeros(1), np.zeros((1, 1))],
        [np.zeros(1024), np.zeros(1)],
    ],
)
def test_other_arrays_are_refused(monkeypatch, tmp_path, arrays):
    monkeypatch.setattr(scscore, "fetch", lambda name: tmp_path / "weights")
    monkeypatch.setattr(scscore, "read_arrays", lambda path: arrays)
    with pytest.raises(AssetError, match="holds other arrays"):
        load_scscore()
