from __future__ import annotations

import numpy as np
import pytest

from fluvial.bench import mxmnet
from fluvial.chem.molecules import parse_smiles
from fluvial.core.errors import ConfigError


def test_a_small_run() -> None:
    found = mxmnet.run(molecules=16, heavy_atoms=5, width=8, layers=1, epochs=1)
    assert found["held_out"] == 2
    assert all(np.isfinite(found[name]) for name in ("mxmnet_mae_ev", "ridge_mae_ev", "mean_mae_ev"))


def test_the_ridge_finds_a_sum_over_fragments() -> None:
    """A number that is a sum over atoms is one over fingerprint counts too."""
    draws = np.random.default_rng(0).integers(0, 3, (300, 8))
    texts = ["".join("CNO"[draw] for draw in row[: 3 + len(set(row)) * 2 - 1]) for row in draws]
    values = np.array([3.0 * text.count("N") - text.count("O") for text in texts])
    gaps = mxmnet.Gaps([parse_smiles(text) for text in texts], [], values)
    split = mxmnet.split_of(300, 0.1, 0)
    assert mxmnet.ridge_error(gaps, split) < 0.15 * values.std()


def test_too_few_molecules_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"molecules = 100: .* suitable ones"):
        mxmnet.run(molecules=100, heavy_atoms=3)


@pytest.mark.long
def test_the_network_beats_fingerprints_on_unseen_molecules() -> None:
    found = mxmnet.run(molecules=1000, epochs=20)
    assert found["molecules"] == 1000
    assert found["mxmnet_mae_ev"] < found["ridge_mae_ev"] < found["mean_mae_ev"]
