"""Functions of distances and angles that a network of molecules in space reads (Gasteiger et al. 2020,
arXiv:2003.03123, eq. 6 to 8). All are smooth up to the cutoff and 0 beyond it."""

from __future__ import annotations

import math
from functools import lru_cache, partial
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import spherical_jn
from torch import Tensor

ENVELOPE_POWER = 6
"""The envelope and its first two derivatives are 0 at the cutoff; as in the paper."""
_SERIES_BELOW = 3.0
"""Argument up to which spherical Bessel functions are summed as a series."""
_N_TERMS = 14  # of the series; the next one is below 1e-16 at _SERIES_BELOW


def envelope(share: Tensor) -> Tensor:
    """1 / d, brought smoothly to 0 at d = 1 and beyond; `share` d = distance / cutoff, > 0, any shape."""
    p = ENVELOPE_POWER
    value = (
        1.0 / share
        - (p + 1) * (p + 2) / 2 * share ** (p - 1)
        + p * (p + 2) * share**p
        - p * (p + 1) / 2 * share ** (p + 1)
    )
    return torch.where(share < 1.0, value, torch.zeros_like(value))


def radial_basis(distance: Tensor, count: int, cutoff: float) -> Tensor:
    """sin(n pi d) / d for n = 1 to `count` under the envelope, [E, count].

    Args:
        distance: [E], Å, > 0.
        count: number of functions.
        cutoff: Å.
    """
    share = distance / cutoff
    orders = torch.arange(1, count + 1, dtype=distance.dtype, device=distance.device)
    return envelope(share)[:, None] * torch.sin(math.pi * orders * share[:, None])


def spherical_basis(
    distance: Tensor, cosine: Tensor, n_spherical: int, n_radial: int, cutoff: float
) -> Tensor:
    """j_l(z_ln d) Y_l0(angle) under the envelope, [Q, n_spherical x n_radial].

    z_ln is the n-th zero of the spherical Bessel function j_l; the radial part is normalised on the ball.

    Args:
        distance: [Q], Å, > 0.
        cosine: [Q], of the angle.
        n_spherical: number of l, from 0.
        n_radial: number of zeros for each.
        cutoff: Å.
    """
    share = (distance / cutoff).double()
    zeros = bessel_zeros(n_spherical, n_radial)
    polynomials = legendre(cosine, n_spherical)
    parts = []
    for order in range(n_spherical):
        z = torch.from_numpy(zeros[order]).to(share.device)
        norm = np.sqrt(2.0) / np.abs(spherical_jn(order + 1, zeros[order]))
        radial = spherical_bessel(share[:, None] * z, order) * torch.from_numpy(norm).to(share.device)
        harmonic = math.sqrt((2 * order + 1) / (4 * math.pi)) * polynomials[order]
        parts.append((envelope(share)[:, None] * radial).to(distance.dtype) * harmonic[:, None])
    return torch.cat(parts, dim=1)


def spherical_bessel(x: Tensor, order: int) -> Tensor:
    """j_order(x) of x >= 0, any shape, float64; differentiable, also near 0."""
    return torch.where(x < _SERIES_BELOW, _series(x.clamp(max=_SERIES_BELOW), order), _recurrence(x, order))


def _series(x: Tensor, order: int) -> Tensor:
    """x^l sum_k (-x^2 / 2)^k / (k! (2 l + 2 k + 1)!!)."""
    term = x**order / math.prod(range(1, 2 * order + 2, 2))
    total = term
    for k in range(1, _N_TERMS):
        term = term * (-(x**2) / 2) / (k * (2 * order + 2 * k + 1))
        total = total + term
    return total


def _recurrence(x: Tensor, order: int) -> Tensor:
    """Upwards in the order, which loses digits only where the argument is small."""
    x = x.clamp(min=_SERIES_BELOW)
    inverse = 1.0 / x
    before, value = torch.cos(x) * inverse, torch.sin(x) * inverse
    for lower in range(order):
        before, value = value, (2 * lower + 1) * inverse * value - before
    return value


def legendre(cosine: Tensor, count: int) -> list[Tensor]:
    """The Legendre polynomials of order 0 to `count` - 1, each of the shape of `cosine`."""
    found = [torch.ones_like(cosine), cosine]
    for order in range(1, count - 1):
        found.append(((2 * order + 1) * cosine * found[order] - order * found[order - 1]) / (order + 1))
    return found[:count]


@lru_cache(maxsize=8)
def bessel_zeros(n_orders: int, count: int) -> NDArray[np.float64]:
    """The first `count` positive zeros of each spherical Bessel function, [n_orders, count].

    Zeros of neighbouring orders interlace, so those of an order lie between those of the one before.
    """
    zeros = np.arange(1, n_orders + count) * math.pi
    found = [zeros[:count]]
    for order in range(1, n_orders):
        values = partial(spherical_jn, order)
        zeros = np.array([brentq(values, low, high) for low, high in pairwise(zeros)])
        found.append(zeros[:count])
    return np.array(found)
