"""A model in the ONNX format on Morgan fingerprints, such as one of scikit-learn. The file holds no code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rdkit.Chem import Mol

from fluvial.core.errors import ConfigError, DataError, RewardError
from fluvial.predictors.fingerprint_forest import FingerprintSettings, counts_of
from fluvial.predictors.predictions import Predictions, assembled

AT_ONCE = 512
"""Molecules; bounds memory."""
NUMBERS = {"tensor(float)": np.float32, "tensor(double)": np.float64}
"""Type of ONNX to that of NumPy."""


@dataclass(frozen=True)
class OnnxReading:
    """How a model is asked, and where its answer is."""

    fingerprint: str = "counts"
    """"counts" of the neighbourhoods, or "bits"."""
    radius: int = 2
    output: str | None = None
    """Name; None for the last one of numbers."""
    column: int | None = None
    """Of the output, from 0; None for the last one."""


@dataclass(frozen=True)
class OnnxModel:
    """Predictions of an ONNX session."""

    session: Any
    file: Path
    reading: OnnxReading
    settings: FingerprintSettings
    output: str

    def __call__(self, mols: Sequence[Mol]) -> Predictions:
        """A value for each molecule.

        Raises:
            RewardError: the model answers something else than a row of numbers for each.
        """
        values: dict[int, float] = {}
        for start in range(0, len(mols), AT_ONCE):
            found = self._answered(mols[start : start + AT_ONCE])
            values |= {start + row: float(one) for row, one in enumerate(found)}
        return assembled(values, {}, len(mols))

    def _answered(self, mols: Sequence[Mol]) -> Sequence[float]:
        given = self.session.get_inputs()[0]
        counts = counts_of(mols, self.settings)
        asked = counts if self.reading.fingerprint == "counts" else counts > 0
        try:
            (found,) = self.session.run([self.output], {given.name: asked.astype(NUMBERS[given.type])})
        except Exception as error:  # onnxruntime has a class for each kind, which no interface names
            raise RewardError(f"{self.file} cannot be evaluated: {' '.join(str(error).split())}") from None
        rows = np.asarray(found, dtype=np.float64)
        rows = rows.reshape(len(rows), -1) if rows.ndim else rows.reshape(1, 1)
        column = rows.shape[1] - 1 if self.reading.column is None else self.reading.column
        if len(rows) != len(mols) or not 0 <= column < rows.shape[1]:
            raise RewardError(
                f"{self.file}: output '{self.output}' has the shape {list(np.shape(found))} for {len(mols)}"
                f" molecules; there is no column {column} with a number for each"
            )
        answers: Sequence[float] = rows[:, column].tolist()
        return answers


def load_onnx(file: Path, reading: OnnxReading) -> OnnxModel:
    """The model of a file, on one thread, since the processes of a reward are many.

    Raises:
        ConfigError: it has no such output, or onnxruntime is not installed.
        DataError: it is no model, or not one on fingerprints.
    """
    try:
        import onnxruntime
    except ImportError:
        raise ConfigError("onnxruntime is missing: pip install 'fluvial[onnx]'") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(file.read_bytes(), options, providers=["CPUExecutionProvider"])
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from None
    except Exception as error:  # see above
        raise DataError(f"{file} is no ONNX model: {' '.join(str(error).split())}") from None
    settings = FingerprintSettings(reading.radius, _n_bits(session, file))
    return OnnxModel(session, file, reading, settings, _output(session, file, reading.output))


def _n_bits(session: Any, file: Path) -> int:
    """Length of the fingerprints that a model reads.

    Raises:
        DataError: it does not read one matrix of numbers whose width is fixed.
    """
    inputs = session.get_inputs()
    if len(inputs) == 1 and inputs[0].type in NUMBERS:
        shape = inputs[0].shape
        if len(shape) == 2 and isinstance(shape[1], int) and shape[1] > 0:
            return int(shape[1])
    found = ", ".join(f"{one.name} {one.type} {one.shape}" for one in inputs)
    raise DataError(
        f"{file} reads {found}, and not one matrix of numbers as wide as the fingerprint;"
        " convert it with that width, as FloatTensorType([None, 2048])"
    )


def _output(session: Any, file: Path, wanted: str | None) -> str:
    """Name of the output of numbers that is meant.

    Raises:
        ConfigError: there is none.
    """
    names = [one.name for one in session.get_outputs() if one.type in NUMBERS]
    if wanted in names or (wanted is None and names):
        return str(names[-1] if wanted is None else wanted)
    others = ", ".join(f"{one.name} ({one.type})" for one in session.get_outputs())
    raise ConfigError(
        f"{file} has no output of numbers{'' if wanted is None else f' {wanted!r}'}, it has {others};"
        " convert a classifier of scikit-learn with options={'zipmap': False}"
    )
