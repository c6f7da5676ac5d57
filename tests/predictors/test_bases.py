from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.special import spherical_jn

from fluvial.predictors.bases import (
    bessel_zeros,
    envelope,
    legendre,
    radial_basis,
    spherical_basis,
    spherical_bessel,
)


def test_the_envelope_ends_smoothly() -> None:
    share = torch.tensor([0.5, 1.0 - 1e-3, 1.0, 1.5], dtype=torch.float64, requires_grad=True)
    value = envelope(share)
    # 1 / d - 28 d^5 + 48 d^6 - 21 d^7 at 1 / 2
    assert value.tolist() == pytest.approx([2 - 28 / 32 + 48 / 64 - 21 / 128, 0, 0, 0], abs=1e-6)
    (slope,) = torch.autograd.grad(value.sum(), share)
    assert slope[1:].abs().max() < 1e-3


def test_radial_functions_by_hand() -> None:
    found = radial_basis(torch.tensor([2.5, 5.0, 6.0], dtype=torch.float64), 3, cutoff=5.0)
    height = float(envelope(torch.tensor(0.5)))
    assert found[0].tolist() == pytest.approx([height, 0.0, -height], abs=1e-6)
    assert found[1:].abs().max() < 1e-9


@pytest.mark.parametrize("order", range(7))
def test_spherical_bessel_functions_are_those_of_scipy(order: int) -> None:
    x = np.concatenate([np.linspace(0, 4, 201), np.linspace(4, 40, 200)])
    found = spherical_bessel(torch.from_numpy(x), order).numpy()
    np.testing.assert_allclose(found, spherical_jn(order, x), atol=1e-13)


def test_zeros_are_zeros_and_none_is_left_out() -> None:
    zeros = bessel_zeros(7, 6)
    assert zeros[0] == pytest.approx(np.arange(1, 7) * math.pi)
    assert zeros[1, :3] == pytest.approx([4.493409, 7.725252, 10.904122], abs=1e-6)
    for order in range(7):
        grid = spherical_jn(order, np.linspace(1e-3, zeros[order, -1] + 1e-6, 100_000))
        assert np.abs(spherical_jn(order, zeros[order])).max() < 1e-12
        assert (np.sign(grid[1:]) != np.sign(grid[:-1])).sum() == 6


def test_legendre_polynomials_by_hand() -> None:
    x = torch.tensor([0.3], dtype=torch.float64)
    expected = [1.0, 0.3, (3 * 0.09 - 1) / 2, (5 * 0.027 - 3 * 0.3) / 2]
    assert [float(value) for value in legendre(x, 4)] == pytest.approx(expected)


def test_the_spherical_radial_part_is_normalised_and_orthogonal() -> None:
    """Integral over the unit ball of two functions of the same order."""
    share = torch.linspace(1e-4, 1 - 1e-9, 4001, dtype=torch.float64)
    basis = spherical_basis(share, torch.ones_like(share), 3, 3, cutoff=1.0) / envelope(share)[:, None]
    for order in range(3):
        part = basis[:, 3 * order : 3 * order + 3] / math.sqrt((2 * order + 1) / (4 * math.pi))
        product = torch.trapezoid(part[:, :, None] * part[:, None] * share[:, None, None] ** 2, share, dim=0)
        torch.testing.assert_close(product, torch.eye(3, dtype=torch.float64), atol=2e-3, rtol=0)


def test_gradients_of_the_bases() -> None:
    distance = torch.tensor([0.4, 1.1, 2.9, 4.8], dtype=torch.float64, requires_grad=True)
    cosine = torch.tensor([-0.99, 0.0, 0.4, 1.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda d: radial_basis(d, 4, 5.0), (distance,))
    assert torch.autograd.gradcheck(
        lambda d, c: spherical_basis(d, c, 7, 3, 5.0), (distance, cosine), atol=1e-5
    )
