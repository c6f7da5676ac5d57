from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from rdkit import Chem  # noqa: E402

from fluvial.chem.molecules import parse_smiles  # noqa: E402
from fluvial.config.file import parse_config  # noqa: E402
from fluvial.core.errors import ConfigError, DataError, RewardError  # noqa: E402
from fluvial.predictors.fingerprint_onnx import OnnxReading, load_onnx  # noqa: E402
from fluvial.rewards.measures import Predicted  # noqa: E402
from fluvial.train.terms import build_terms  # noqa: E402

MOLS = [parse_smiles(text) for text in ("CCO", "CCCCO", "c1ccccc1")]
TWO = np.ones((16, 2), dtype=np.float32)
TWO[:, 1] = 10.0


def model(folder: Path, weights: np.ndarray = TWO, width: int | str = 16, last: str | None = None) -> Path:
    """The fingerprint times a matrix, as `other` and `found`."""
    values = [
        helper.make_tensor_value_info("other", TensorProto.FLOAT, None),
        helper.make_tensor_value_info("found", TensorProto.FLOAT, None),
    ]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["found"]), helper.make_node("Neg", ["found"], ["other"])]
    if last is not None:
        nodes.append(helper.make_node("Cast", ["found"], [last], to=TensorProto.INT64))
        values.append(helper.make_tensor_value_info(last, TensorProto.INT64, None))
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["B", width])
    graph = helper.make_graph(nodes, "test", [given], values, [numpy_helper.from_array(weights, "w")])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path = folder / "model.onnx"
    path.write_bytes(made.SerializeToString())
    return path


def counted(radius: int = 2) -> np.ndarray:
    generator = Chem.rdFingerprintGenerator.GetMorganGenerator(radius=radius, fpSize=16)
    return np.array([generator.GetCountFingerprintAsNumPy(mol).sum() for mol in MOLS], dtype=float)


def test_the_last_number_of_the_last_output_of_numbers(tmp_path: Path) -> None:
    found = load_onnx(model(tmp_path, last="label"), OnnxReading())(MOLS)
    assert found.values.tolist() == (10.0 * counted()).tolist()
    assert found.reasons == ("", "", "")
    # Ethanol has three atoms, hence three neighbourhoods of radius 0.
    first = load_onnx(model(tmp_path), OnnxReading(radius=0, output="other", column=0))(MOLS)
    assert first.values.tolist() == (-counted(0)).tolist()
    assert first.values[0] == -3.0


def test_bits_are_those_of_rdkit(tmp_path: Path) -> None:
    found = load_onnx(model(tmp_path), OnnxReading(fingerprint="bits", column=0))(MOLS)
    generator = Chem.rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=16)
    assert found.values.tolist() == [generator.GetFingerprint(mol).GetNumOnBits() for mol in MOLS]


def test_a_number_that_is_none_is_a_failure_with_a_reason(tmp_path: Path) -> None:
    found = load_onnx(model(tmp_path, np.full((16, 1), np.inf, dtype=np.float32)), OnnxReading("bits"))(MOLS)
    assert np.isnan(found.values).all()
    assert "not a finite number" in found.reasons[0]


def test_other_models_are_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="FloatTensorType"):
        load_onnx(model(tmp_path, width="N"), OnnxReading())
    with pytest.raises(ConfigError, match=r"no output of numbers 'label'.*zipmap"):
        load_onnx(model(tmp_path, last="label"), OnnxReading(output="label"))
    with pytest.raises(RewardError, match="no column 2"):
        load_onnx(model(tmp_path), OnnxReading(column=2))(MOLS)
    (tmp_path / "model.onnx").write_bytes(b"nonsense")
    with pytest.raises(DataError, match="is no ONNX model"):
        load_onnx(tmp_path / "model.onnx", OnnxReading())
    with pytest.raises(DataError, match="No such file"):
        load_onnx(tmp_path / "none.onnx", OnnxReading())


def test_as_a_term_of_a_reward(tmp_path: Path) -> None:
    model(tmp_path)
    text = '[env]\nkind = "fragments"\n[[reward.term]]\nkind = "onnx"\nfile = "model.onnx"\nradius = 0'
    (term,) = build_terms(parse_config(text, "test"), tmp_path, {})
    assert isinstance(term.raw, Predicted)
    assert term.raw(["CCO"], MOLS[:1]) == [30.0]
    assert "model.onnx on Morgan counts of radius 0" in term.source
