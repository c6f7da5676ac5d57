from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluvial.core.errors import ConfigError
from fluvial.rewards.transforms import TRANSFORMS, make_transform


@pytest.mark.parametrize(
    ("kind", "parameters", "points"),
    [
        ("sigmoid", {"low": 0, "high": 10, "k": 0.5}, {0: 0.0031523, 5: 0.5, 6: 0.7597469, 10: 0.9968477}),
        ("reverse_sigmoid", {"low": 0, "high": 10, "k": 0.5}, {0: 0.9968477, 5: 0.5, 6: 0.2402531}),
        ("reverse_sigmoid", {"low": -11, "high": -6, "k": 0.5}, {-11: 0.9968477, -8.5: 0.5, -6: 0.0031523}),
        (
            "double_sigmoid",
            {"low": 1, "high": 4},
            {0: 0.0306534, 1: 0.5, 2: 0.9693466, 2.5: 0.9944078, 3: 0.9693466, 4: 0.5, 5: 0.0306534},
        ),
        (
            "double_sigmoid",
            {"low": 200, "high": 500, "coef_div": 500, "coef_si": 20, "coef_se": 40},
            {200: 0.5, 225: 0.9090909, 475: 0.9900990, 500: 0.5, 525: 0.0099010},
        ),
        ("left_step", {"low": 2}, {1.9: 1, 2: 1, 2.1: 0}),
        ("right_step", {"high": 2}, {1.9: 0, 2: 1, 2.1: 1}),
        ("step", {"low": 1, "high": 2}, {0.9: 0, 1: 1, 1.5: 1, 2: 1, 2.1: 0}),
        ("exponential_decay", {"k": 0.5}, {-3: 1, 0: 1, 2: 0.3678794, 4: 0.1353353}),
        ("linear", {"low": -5, "high": 5}, {-6: 0, -5: 0, 0: 0.5, 2: 0.7, 5: 1, 9: 1}),
        ("reverse_linear", {"low": 1, "high": 10}, {1: 1, 4: 2 / 3, 10: 0, 11: 0}),
        ("clip", {"low": 0, "high": 3}, {-1: 0, 2: 2, 7: 3}),
        ("divide", {"by": 8}, {-1: 0, 2: 0.25, 10: 1.25}),
        ("value_mapping", {"mapping": {"0": 0.2, 1: 1.0}}, {0: 0.2, 1: 1.0}),
        ("identity", {}, {0: 0, 2.5: 2.5}),
    ],
)
def test_golden_values(kind: str, parameters: dict[str, object], points: dict[float, float]) -> None:
    transform = make_transform(kind, **parameters)
    assert {x: transform(x) for x in points} == pytest.approx(points, abs=1e-6)


@given(
    x=st.floats(allow_nan=False, allow_infinity=False),
    low=st.floats(-1e3, 1e3),
    width=st.floats(1e-3, 1e3),
    k=st.floats(1e-3, 1e3),
)
def test_no_overflow_and_within_the_unit_interval(x: float, low: float, width: float, k: float) -> None:
    bounds = {"low": low, "high": low + width}
    for kind in ("sigmoid", "reverse_sigmoid"):
        assert 0.0 <= make_transform(kind, **bounds, k=k)(x) <= 1.0
    for kind in ("double_sigmoid", "step", "linear", "reverse_linear"):
        assert 0.0 <= make_transform(kind, **bounds)(x) <= 1.0
    assert 0.0 <= make_transform("exponential_decay", k=k)(x) <= 1.0


@given(x=st.floats(-50, 50))
def test_sigmoids_mirror_each_other(x: float) -> None:
    rising = make_transform("sigmoid", low=-3, high=8, k=0.25)
    falling = make_transform("reverse_sigmoid", low=-3, high=8, k=0.25)
    assert rising(x) + falling(x) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        ("sigmod", {}, "did you mean 'sigmoid'"),
        ("sigmoid", {"low": 0, "high": 1}, "transform 'sigmoid' needs the parameter 'k'"),
        ("sigmoid", {"low": 5, "high": 5, "k": 1}, "high = 5 must be greater than low = 5"),
        ("sigmoid", {"low": 0, "high": 1, "k": 0}, "k = 0 must be greater than 0"),
        ("sigmoid", {"low": 0, "high": "1", "k": 1}, "high = '1' is not a finite number"),
        ("sigmoid", {"low": 0, "high": math.inf, "k": 1}, "high = inf is not a finite number"),
        ("sigmoid", {"low": True, "high": 3, "k": 1}, "low = True is not a finite number"),
        ("double_sigmoid", {"low": 0, "high": 1, "coef_div": -1}, "coef_div = -1 must be greater than 0"),
        ("left_step", {"high": 1}, "has no parameter 'high' \\(it has: low\\)"),
        ("identity", {"low": 1}, "has no parameter 'low' \\(it has: none\\)"),
        ("clip", {"low": -1, "high": 1}, "low = -1 must be at least 0"),
        ("divide", {"by": 0}, "by = 0 must be greater than 0"),
        ("value_mapping", {"mapping": {}}, "is not a table of numbers"),
        ("value_mapping", {"mapping": {"a": 1}}, "'a' is not a number"),
        ("value_mapping", {"mapping": {"1": -1}}, "must be at least 0"),
    ],
)
def test_bad_parameters(kind: str, parameters: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_transform(kind, **parameters)


def test_values_without_an_image() -> None:
    with pytest.raises(ValueError, match=r"the value -0\.5 is negative"):
        make_transform("identity")(-0.5)
    with pytest.raises(ValueError, match=r"the value 2 is not in the mapping \(0, 1\)"):
        make_transform("value_mapping", mapping={"0": 0, "1": 1})(2.0)


def test_every_transform_is_tested() -> None:
    assert len(TRANSFORMS) == 13
