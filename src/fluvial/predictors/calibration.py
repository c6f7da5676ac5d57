"""How sure a predictor is, made to agree with its errors on molecules that it has not learned from."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import norm, rankdata

Numbers = NDArray[np.float64]

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Shares of molecules that intervals are to cover."""
N_BINS = 10
"""Of predicted probabilities in a table of reliability."""
MOST_LOGIT = 6.0
"""Of a raw probability; a forest says 0 and 1 where it means less than 1 in 400. Arbitrary."""


def fitted_spread(error: Numbers, spread: Numbers) -> tuple[float, float]:
    """a and b with which errors are most likely normal with variance a spread^2 + b; both at least 0.

    Args:
        error: [B], of molecules that were not learned from.
        spread: [B], standard deviation over trees.
    """
    mean_square = max(float(np.mean(error**2)), 1e-300)
    relative = spread**2 / mean_square

    def loss(logs: Numbers) -> float:
        variance = np.exp(logs[0]) * relative + np.exp(logs[1])
        return float(np.mean(np.log(variance) + error**2 / mean_square / variance))

    starts = [np.log([0.5, 0.5]), np.log([1.0, 0.05])]
    bounds = [(-12.0, 6.0), (-12.0, 6.0)]
    found = min(
        (minimize(loss, start, method="L-BFGS-B", bounds=bounds) for start in starts), key=lambda one: one.fun
    )
    slope, rest = np.exp(found.x)
    return float(slope), float(rest * mean_square)


def standard_errors(spread: Numbers, slope: float, rest: float) -> Numbers:
    """Standard error of each prediction, [B], from `fitted_spread`."""
    return np.sqrt(slope * spread**2 + rest)


def coverage(error: Numbers, standard_error: Numbers) -> dict[str, float]:
    """Share of molecules whose error lies in the normal interval of each of `LEVELS`, by level as text."""
    shares = np.abs(error) / np.maximum(standard_error, 1e-300)
    return {f"{level:g}": float(np.mean(shares <= norm.ppf(0.5 + level / 2.0))) for level in LEVELS}


def logit(probability: Numbers) -> Numbers:
    """log(p / (1 - p)), at most `MOST_LOGIT` from 0."""
    bound = 1.0 / (1.0 + math.exp(MOST_LOGIT))
    inside = np.clip(probability, bound, 1.0 - bound)
    return np.asarray(np.log(inside / (1.0 - inside)))


def fitted_logistic(probability: Numbers, label: Numbers) -> tuple[float, float]:
    """a > 0 and b with which 1 / (1 + exp(-a logit(p) - b)) fits the labels best (Platt 1999).

    Labels are softened as in Platt's paper, so that few examples do not make it sure.
    """
    n_one, n_zero = float(label.sum()), float((1.0 - label).sum())
    soft = np.where(label > 0.5, (n_one + 1.0) / (n_one + 2.0), 1.0 / (n_zero + 2.0))
    x = logit(probability)

    def loss(parameters: Numbers) -> float:
        z = parameters[0] * x + parameters[1]
        return float(np.mean(np.logaddexp(0.0, z) - soft * z))

    found = minimize(loss, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=[(0.05, 20.0), (-20.0, 20.0)])
    return float(found.x[0]), float(found.x[1])


def logistic(probability: Numbers, slope: float, shift: float) -> Numbers:
    """Calibrated probabilities, [B], from `fitted_logistic`."""
    return np.asarray(1.0 / (1.0 + np.exp(-slope * logit(probability) - shift)))


def reliability(probability: Numbers, label: Numbers) -> list[tuple[float, float, int]]:
    """Mean prediction, share of ones and number of molecules in each bin of equal width that has any."""
    place = np.minimum((probability * N_BINS).astype(int), N_BINS - 1)
    rows = [place == one for one in range(N_BINS)]
    return [
        (float(probability[row].mean()), float(label[row].mean()), int(row.sum()))
        for row in rows
        if row.any()
    ]


def area_under_curve(score: Numbers, label: Numbers) -> float:
    """Probability that a one has a higher score than a zero (ROC AUC); nan where there is but one class."""
    ones = label > 0.5
    n_one, n_zero = int(ones.sum()), int((~ones).sum())
    if not n_one or not n_zero:
        return math.nan
    return float((rankdata(score)[ones].sum() - n_one * (n_one + 1) / 2) / (n_one * n_zero))
