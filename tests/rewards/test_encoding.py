from __future__ import annotations

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from fluvial.rewards.encoding import Scale, thermometer


def test_thermometer_golden_values() -> None:
    values = torch.tensor([-1.0, 0.0, 0.3, 0.5, 1.0, 7.0])
    expected = [
        [0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0],
        [1.0, 0.2, 0.0, 0.0],
        [1.0, 1.0, 0.0, 0.0],
        [1.0, 1.0, 1.0, 1.0],
        [1.0, 1.0, 1.0, 1.0],
    ]
    torch.testing.assert_close(thermometer(values, 4, 0.0, 1.0), torch.tensor(expected))


@given(low=st.floats(-50, 50), width=st.floats(0.1, 100), n_bins=st.integers(1, 50))
def test_thermometer_is_full_at_the_upper_end_and_rises(low: float, width: float, n_bins: int) -> None:
    high = low + width
    encoding = thermometer(torch.linspace(low, high, 40), n_bins, low, high)
    assert encoding.shape == (40, n_bins)
    assert bool((encoding[0] == 0.0).all())
    assert bool((encoding[-1] == 1.0).all())
    assert bool((encoding.diff(dim=0) >= 0.0).all())
    assert bool((encoding.sum(dim=1).diff() > 0.0).all())


def test_a_row_of_numbers_gets_a_row_of_bins() -> None:
    encoding = thermometer(torch.tensor([[0.25, 1.0]]), 2, 0.0, 1.0)
    assert encoding.tolist() == [[[0.5, 0.0], [1.0, 1.0]]]


def test_no_bins_are_one_number() -> None:
    values = torch.tensor([0.0, 2.0, 3.0, 6.0, 8.0])
    assert Scale(2.0, 6.0, 0).width == 1
    assert Scale(2.0, 6.0, 0)(values).tolist() == [[0.0], [0.0], [0.25], [1.0], [1.0]]
    assert Scale(2.0, 6.0, 0, is_open=True)(values).tolist() == [[0.0], [0.0], [0.25], [1.0], [1.5]]


def test_an_open_end_goes_on_in_the_last_bin() -> None:
    encoding = Scale(0.0, 4.0, 2, is_open=True)(torch.tensor([3.0, 4.0, 8.0]))
    torch.testing.assert_close(encoding, torch.tensor([[1.0, 0.5], [1.0, 1.0], [1.0, 1.0 + math.log(2.0)]]))
