"""The predictors by name. Free of torch until one is loaded, so that reward workers start fast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fluvial.predictors.predictions import Predict


@dataclass(frozen=True)
class Predictor:
    """How to get a predictor, and what its numbers mean."""

    name: str
    method: str
    """What calculates the numbers, in words that are kept with a run."""
    unit: str
    """Empty for a pure number."""
    description: str
    """One line."""
    load: Callable[[], Predict]
    """Fetches and reads what is needed; picklable. Raises `FluvialError` if that fails."""


def seh() -> Predictor:
    """The published proxy for binding to soluble epoxide hydrolase."""
    return Predictor(
        "seh",
        "message-passing network of Bengio et al. 2021, published weights",
        "",
        "predicted binding to soluble epoxide hydrolase, about 0 poor to 8 very good (Bengio et al. 2021)",
        _load_seh,
    )


def _load_seh() -> Predict:
    from fluvial.predictors.seh import load_seh_proxy

    return load_seh_proxy()


PREDICTORS: dict[str, Callable[[], Predictor]] = {"seh": seh}
"""Kind of a reward term to its predictor with default options."""
