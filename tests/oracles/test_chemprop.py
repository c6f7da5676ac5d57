"""The server of chemprop's models, with a stand-in for chemprop, and with chemprop itself where an environment
with it is named by FLUVIAL_CHEMPROP_PYTHON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fluvial.core.errors import RewardError
from fluvial.queue.jobs import Result
from fluvial.rewards.kept_process import KeptProcess

SERVER = Path(__file__).parents[2] / "examples" / "chemprop_server.py"
STAND_IN = Path(__file__).with_name("fake_chemprop")
PYTHON = os.environ.get("FLUVIAL_CHEMPROP_PYTHON", "")
TEXTS = {"0": "CCO", "1": "C1CC", "2": "c1ccccc1"}
MAKE = """
import json, sys
import torch
from chemprop import data, models, nn
torch.manual_seed(0)
model = models.MPNN(
    nn.BondMessagePassing(d_h=16, depth=2),
    nn.MeanAggregation(),
    nn.RegressionFFN(n_tasks=2, input_dim=16, hidden_dim=8,
                     output_transform=nn.UnscaleTransform([1.0, 2.0], [3.0, 4.0])),
    metrics=[nn.metrics.RMSE()],
).eval()
models.save_model(sys.argv[1], model, ["logS", "logP"])
points = data.MoleculeDataset([data.MoleculeDatapoint.from_smi(text) for text in ("CCO", "c1ccccc1")])
(batch,) = data.build_dataloader(points, shuffle=False, batch_size=2)
print(json.dumps(model(batch.bmg, batch.V_d, batch.X_d).tolist()))
"""


class Evil:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> type:
    monkeypatch.setenv("PYTHONPATH", str(STAND_IN))
    monkeypatch.syspath_prepend(STAND_IN)
    from chemprop.nn.predictors import Scale

    return Scale


def asked(python: str, model: Path, texts: dict[str, str]) -> dict[str, Result]:
    process = KeptProcess([python, str(SERVER), str(model)], 300.0, names_culprits=True)
    try:
        return dict(process.evaluate(texts, lambda: False))
    finally:
        process.close()


def test_a_batch_is_answered_and_what_cannot_be_read_has_failed(tmp_path: Path, stand_in: type) -> None:
    path = tmp_path / "model.pt"
    torch.save({"hyper_parameters": stand_in([2.0]), "state_dict": {}}, path)
    found = asked(sys.executable, path, TEXTS)
    assert {key: one.values for key, one in found.items()} == {
        "0": {"value": 6.0},
        "1": {},
        "2": {"value": 12.0},
    }
    assert "chemprop cannot read it: SMILES C1CC is invalid" in found["1"].reason
    assert not found["1"].may_pass


def test_several_targets_have_names_and_what_is_no_number_is_missing(tmp_path: Path, stand_in: type) -> None:
    path = tmp_path / "model.pt"
    scale = stand_in([1.0, float("inf")])
    torch.save({"hyper_parameters": scale, "output_columns": ["logS", "logP"]}, path)
    assert asked(sys.executable, path, {"0": "CCO"})["0"].values == {"logS": 3.0, "logP": None}
    torch.save({"hyper_parameters": stand_in([1.0, 2.0]), "output_columns": None}, path)
    assert asked(sys.executable, path, {"0": "CCO"})["0"].values == {"target_0": 3.0, "target_1": 6.0}


def test_a_checkpoint_that_names_anything_else_is_not_opened(tmp_path: Path, stand_in: type) -> None:
    path, trace = tmp_path / "model.pt", tmp_path / "trace"
    torch.save({"hyper_parameters": stand_in([1.0]), "state_dict": Evil(trace)}, path)
    with pytest.raises(RewardError, match=r"it names posix\.mkdir, which is no part of a model"):
        asked(sys.executable, path, TEXTS)
    assert not trace.exists()
    path.write_bytes(b"nonsense")
    with pytest.raises(RewardError, match="cannot be served"):
        asked(sys.executable, path, TEXTS)


@pytest.mark.skipif(not PYTHON, reason="needs the Python of an environment with chemprop")
def test_answers_are_those_of_chemprop(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    done = subprocess.run([PYTHON, "-c", MAKE, str(path)], check=True, capture_output=True, text=True)
    ethanol, benzene = json.loads(done.stdout.splitlines()[-1])
    found = asked(PYTHON, path, TEXTS)
    for key, row in {"0": ethanol, "2": benzene}.items():
        assert list(found[key].values) == ["logS", "logP"]
        assert list(found[key].values.values()) == pytest.approx(row, abs=1e-6)
    assert "cannot read it" in found["1"].reason
