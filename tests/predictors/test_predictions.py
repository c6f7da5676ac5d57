from __future__ import annotations

import math

from fluvial.predictors.predictions import assembled


def test_values_and_reasons_by_row() -> None:
    found = assembled({0: 1.5, 3: math.inf}, {1: "too large"}, 4)
    assert found.values[0] == 1.5
    assert [math.isnan(value) for value in found.values] == [False, True, True, True]
    assert found.reasons == ("", "too large", "", "the prediction is inf, not a finite number")
