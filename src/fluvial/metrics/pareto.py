"""How well a set of objects trades several objectives off. All objectives are maximised. Works without torch.

Axes: N points, K objectives, M reference points or weights.
"""

from __future__ import annotations

from itertools import combinations, product

import moocore
import numpy as np
from numpy.typing import ArrayLike, NDArray

FOCUS_COSINE = 0.98
"""Jain et al. 2023, arXiv:2210.12765, and Roy et al. 2023, arXiv:2306.04620."""

Points = NDArray[np.float64]


def pareto_front(points: ArrayLike) -> NDArray[np.bool_]:
    """Which points no other one dominates, bool [N]; equal points stay or go together.

    One point dominates another if it is at least as good in all objectives and better in one.
    """
    rows = _rows(points)
    return np.asarray(moocore.is_nondominated(rows, maximise=True, keep_weakly=True), dtype=bool)


def hypervolume(points: ArrayLike, reference: ArrayLike) -> float:
    """Volume of what is dominated by a point and dominates the reference.

    Args:
        points: float [N, K]; points below the reference in an objective add nothing.
        reference: float [K], the worst corner; 0 for objectives in [0, 1].
    """
    rows = _rows(points)
    if not len(rows):
        return 0.0
    return float(moocore.hypervolume(rows, ref=np.asarray(reference, dtype=np.float64), maximise=True))


def igd(points: ArrayLike, references: ArrayLike) -> float:
    """Inverted generational distance: mean Euclidean distance of the reference points to the nearest point.

    Args:
        points: float [N, K], at least one.
        references: float [M, K], such as `hypercube_faces`.
    """
    return float(moocore.igd(_rows(points), ref=_rows(references), maximise=True))


def igd_plus(points: ArrayLike, references: ArrayLike) -> float:
    """As `igd`, but only what a point lacks counts, so that a dominated set is never rated better.

    (Ishibuchi et al. 2015, doi:10.1007/978-3-319-15892-1_8.)
    """
    return float(moocore.igd_plus(_rows(points), ref=_rows(references), maximise=True))


def r2(points: ArrayLike, weights: ArrayLike, utopia: ArrayLike) -> float:
    """R2 indicator: mean over weights of the least weighted Chebyshev distance to the utopian point.

    (Hansen and Jaszkiewicz 1998; Brockhoff et al. 2012, doi:10.1145/2330163.2330230.)

    Args:
        points: float [N, K], at least one.
        weights: float [M, K] >= 0, such as `simplex_grid`.
        utopia: float [K], at least as good as all points.
    """
    lack = np.asarray(utopia, dtype=np.float64) - _rows(points)
    nearest = [float((weight * np.abs(lack)).max(axis=1).min()) for weight in _rows(weights)]
    return float(np.mean(nearest))


def pc_entropy(points: ArrayLike, references: ArrayLike) -> float:
    """Entropy, in nats, of the shares of points nearest to each reference point: 0 to log min(N, M).

    (Pareto-clusters entropy, Roy et al. 2023, arXiv:2306.04620.)

    Args:
        points: float [N, K], at least one.
        references: float [M, K]; of equally near ones the first counts.
    """
    centres = _rows(references)
    counts = np.bincount([int(((centres - point) ** 2).sum(axis=1).argmin()) for point in _rows(points)])
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum()) + 0.0


def focus_accuracy(points: ArrayLike, focus: ArrayLike, cosine: float = FOCUS_COSINE) -> float:
    """Share of points whose direction is within the cone around the one that was asked for, 0 to 1.

    Args:
        points: float [N, K] of at least one; the zero point has no direction and never fits.
        focus: float [N, K], of positive length.
        cosine: least cosine between both.
    """
    rows, asked = _rows(points), _rows(focus)
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(asked, axis=1)
    return float(((rows * asked).sum(axis=1) >= cosine * lengths)[lengths > 0].sum() / len(rows))


def hypercube_faces(n_objectives: int, resolution: int = 10) -> Points:
    """The points of a regular grid on [0, 1]^K in which some objective is 1, float [M, K].

    Args:
        n_objectives: K, at least 1.
        resolution: points on each edge, at least 2; 10 is usual.
    """
    values = np.linspace(0.0, 1.0, resolution)
    return np.array([point for point in product(values, repeat=n_objectives) if 1.0 in point])


def simplex_grid(n_objectives: int, n_parts: int) -> Points:
    """All weights with multiples of 1 / `n_parts` that sum to 1, float [M, K] (Das and Dennis 1998)."""
    places = combinations(range(n_parts + n_objectives - 1), n_objectives - 1)
    ends = [(-1, *place, n_parts + n_objectives - 1) for place in places]
    return (np.diff(np.array(ends, dtype=np.float64), axis=1) - 1.0) / n_parts


def _rows(points: ArrayLike) -> Points:
    rows = np.asarray(points, dtype=np.float64)
    if rows.ndim != 2:
        raise ValueError(f"points have the shape {rows.shape}; expected [N, K], one row for each point")
    return rows
