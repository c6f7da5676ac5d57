"""What a predictor says of a batch of molecules. Free of torch, so that reward workers start fast."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from rdkit.Chem import Mol

Readable = TypeVar("Readable")
"""What a predictor reads of a molecule; no text."""


@dataclass(frozen=True)
class Predictions:
    """Numbers for B molecules. A row has a finite value exactly if its reason is empty."""

    values: NDArray[np.float64]
    """[B], in the predictor's unit; nan where there is none."""
    reasons: tuple[str, ...]
    """[B], why there is no value; else empty."""


Predict = Callable[[Sequence[Mol]], Predictions]
"""From sanitised molecules to predictions, in order. What goes wrong with one molecule raises nothing."""


def in_batches(
    found: Sequence[Readable | str], predict: Callable[[list[Readable]], Sequence[float]], size: int
) -> Predictions:
    """Predictions of what molecules were read as, some at a time.

    Args:
        found: [B], what each molecule was read as, or why it cannot be.
        predict: a number for each of at most `size` of them.
        size: at least 1; bounds memory.
    """
    reasons = {row: one for row, one in enumerate(found) if isinstance(one, str)}
    readable = [(row, one) for row, one in enumerate(found) if not isinstance(one, str)]
    values: dict[int, float] = {}
    for start in range(0, len(readable), size):
        part = readable[start : start + size]
        numbers = predict([one for _, one in part])
        values.update(zip((row for row, _ in part), numbers, strict=True))
    return assembled(values, reasons, len(found))


def assembled(values: Mapping[int, float], reasons: Mapping[int, str], count: int) -> Predictions:
    """Predictions out of values and reasons by row; a value that is not finite has that as its reason."""
    numbers = np.full(count, np.nan)
    words = [reasons.get(row, "") for row in range(count)]
    for row, value in values.items():
        if np.isfinite(value):
            numbers[row] = value
        else:
            words[row] = f"the prediction is {value}, not a finite number"
    return Predictions(numbers, tuple(words))
