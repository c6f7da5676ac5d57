"""Regressions against closed forms."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch

from fluvial.core.errors import ConfigError
from fluvial.losses.regression import REGRESSIONS, huber, log_cosh

POINTS = torch.tensor([-3.0, -0.5, 0.0, 0.5, 3.0], dtype=torch.float64)

EXPECTED = {
    "square": [9.0, 0.25, 0.0, 0.25, 9.0],
    "absolute": [3.0, 0.5, 0.0, 0.5, 3.0],
    "huber": [2.5, 0.125, 0.0, 0.125, 2.5],
    "log_cosh": [math.log(math.cosh(x)) for x in (3.0, 0.5, 0.0, 0.5, 3.0)],
}


@pytest.mark.parametrize("name", list(REGRESSIONS))
def test_values(name):
    assert REGRESSIONS[name](POINTS).tolist() == pytest.approx(EXPECTED[name], abs=1e-15)


@pytest.mark.parametrize(
    ("delta", "expected"),
    [(0.25, [0.71875, 0.09375, 0.0]), (2.0, [4.0, 0.125, 0.0]), (10.0, [4.5, 0.125, 0.0])],
)
def test_huber_of_another_delta(delta, expected):
    # 0.25 · (3 - 0.125) and 0.25 · (0.5 - 0.125); 2 · (3 - 1); 9 / 2.
    assert partial(huber, delta=delta)(POINTS)[:3].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("delta", [0.0, -1.0, math.nan])
def test_huber_refuses_a_delta_that_is_not_positive(delta):
    with pytest.raises(ConfigError, match="must be above 0"):
        huber(POINTS, delta)


def test_log_cosh_of_another_scale():
    expected = [math.log(math.cosh(x)) for x in (6.0, 1.0, 0.0, 1.0, 6.0)]
    assert partial(log_cosh, scale=2.0)(POINTS).tolist() == pytest.approx(expected, abs=1e-15)
    x = torch.tensor([-1e5, -0.5, 3.0, 1e5], dtype=torch.float64, requires_grad=True)
    log_cosh(x, 0.5).sum().backward()
    torch.testing.assert_close(x.grad, 0.5 * (0.5 * x.detach()).tanh())


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan])
def test_log_cosh_refuses_a_scale_that_is_not_positive(scale):
    with pytest.raises(ConfigError, match="must be above 0"):
        log_cosh(POINTS, scale)


def test_log_cosh_of_large_residuals_does_not_overflow():
    large = torch.tensor([-1e30, -2e4, 2e4, 1e30])
    assert log_cosh(large).tolist() == pytest.approx([1e30, 2e4 - math.log(2.0), 2e4 - math.log(2.0), 1e30])


def test_log_cosh_of_small_residuals_keeps_its_digits():
    small = torch.tensor([-1e-4, 1e-8], dtype=torch.float64)
    assert log_cosh(small).tolist() == pytest.approx([5e-9, 5e-17], rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_slope_of_log_cosh_is_tanh(dtype):
    x = torch.tensor([-1e5, -3.0, -0.1, 0.0, 0.1, 3.0, 1e5], dtype=dtype, requires_grad=True)
    log_cosh(x).sum().backward()
    torch.testing.assert_close(x.grad, x.detach().tanh())


@pytest.mark.parametrize("name", list(REGRESSIONS))
def test_each_is_even_and_rises_from_zero(name):
    x = torch.linspace(0.0, 5.0, 101, dtype=torch.float64)
    values = REGRESSIONS[name](x)
    assert values[0] == 0.0
    assert (values.diff() > 0.0).all()
    assert torch.equal(REGRESSIONS[name](-x), values)
