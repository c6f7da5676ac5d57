from __future__ import annotations

import math

from fluvial.predictors.predictions import assembled, in_batches


def test_values_and_reasons_by_row() -> None:
    found = assembled({0: 1.5, 3: math.inf}, {1: "too large"}, 4)
    assert found.values[0] == 1.5
    assert [math.isnan(value) for value in found.values] == [False, True, True, True]
    assert found.reasons == ("", "too large", "", "the prediction is inf, not a finite number")


def test_batches_keep_the_rows() -> None:
    asked: list[list[int]] = []

    def predict(part: list[int]) -> list[float]:
        asked.append(part)
        return [10.0 * number for number in part]

    found = in_batches([1, "unknown", 2, 3, "odd"], predict, 2)
    assert asked == [[1, 2], [3]]
    assert found.values[[0, 2, 3]].tolist() == [10.0, 20.0, 30.0]
    assert found.reasons == ("", "unknown", "", "", "odd")
