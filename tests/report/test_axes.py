from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluvial.report.axes import Axis, Scale, exact_scale, log_scale, round_scale, tick_labels

finite = st.floats(-1e150, 1e150)


def test_exact_scale_keeps_the_ends_of_the_data() -> None:
    scale = exact_scale([0, 130, 5000])
    assert (scale.low, scale.high) == (0, 5000)
    assert scale.ticks == (0, 1000, 2000, 3000, 4000, 5000)


def test_whole_numbers_get_whole_ticks() -> None:
    assert exact_scale([1, 2, 3]).ticks == (1, 2, 3)
    assert exact_scale([0.5, 2.5]).ticks == (0.5, 1.0, 1.5, 2.0, 2.5)


def test_one_value_has_room_on_both_sides() -> None:
    assert exact_scale([7]) == Scale(6, 8, (7,))
    scale = round_scale([5, 5])
    assert scale.low < 5 < scale.high


def test_round_scale_ends_at_ticks() -> None:
    assert round_scale([0.03, 0.97]) == Scale(0.0, 1.0, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0))
    assert round_scale([-7, 320]).ticks == (-100, 0, 100, 200, 300, 400)


def test_log_scale_uses_powers_of_ten_or_their_parts() -> None:
    assert log_scale([1.5, 800, 90000]).ticks == (1, 10, 100, 1000, 10000, 100000)
    assert log_scale([2.1, 14]).ticks == (2, 5, 10, 20)
    assert len(log_scale([1e-40, 1e40]).ticks) <= 8


@pytest.mark.parametrize(
    ("ticks", "texts"),
    [
        ((0.0, 0.5, 1.0), ["0.0", "0.5", "1.0"]),
        ((-1000.0, 0.0, 1000.0), ["\N{MINUS SIGN}1,000", "0", "1,000"]),
        ((0.0, 0.25), ["0.00", "0.25"]),
        ((0.0, 2e-6), ["0", "2e\N{MINUS SIGN}06"]),
    ],
)
def test_labels_are_short_and_exact(ticks: tuple[float, ...], texts: list[str]) -> None:
    assert tick_labels(Scale(ticks[0], ticks[-1], ticks)) == texts


def test_log_labels() -> None:
    ticks = (1e-5, 2e-5, 0.01, 1.0, 1000.0, 1e6)
    assert tick_labels(Scale(1e-5, 1e6, ticks, log=True)) == ["10⁻⁵", "2·10⁻⁵", "0.01", "1", "1,000", "10⁶"]


def test_place_is_linear_or_logarithmic() -> None:
    assert Axis(Scale(0, 10, ()), 100, 200).place(2.5) == 125
    assert Axis(Scale(1, 100, (), log=True), 200, 100).place(10) == 150


@given(st.lists(finite, min_size=1, max_size=8))
def test_any_values_lie_on_their_axes(values: list[float]) -> None:
    for scale in (exact_scale(values), round_scale(values)):
        assert scale.low < scale.high
        assert 1 <= len(scale.ticks) <= 12
        assert len(tick_labels(scale)) == len(scale.ticks)
        axis = Axis(scale, 0.0, 400.0)
        assert all(-1e-3 <= axis.place(value) <= 400.001 for value in values)


@given(st.lists(st.floats(1e-150, 1e150), min_size=1, max_size=8))
def test_any_positive_values_lie_on_a_log_axis(values: list[float]) -> None:
    scale = log_scale(values)
    assert 2 <= len(scale.ticks) <= 13
    assert list(scale.ticks) == sorted(set(scale.ticks))
    axis = Axis(scale, 0.0, 400.0)
    assert all(math.isfinite(axis.place(value)) and -0.01 <= axis.place(value) <= 400.01 for value in values)
