"""The card of a learned predictor as a page: what it predicts, how well, and how sure it may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fluvial.report.charts import Curve
from fluvial.report.page import ReportData, write_report


def write_proxy_page(card: Mapping[str, Any], facts: Sequence[tuple[str, str]], path: Path) -> Path:
    """The path of the written page.

    Args:
        card: of the predictor, see `fluvial.predictors.card.read_card`.
        facts: what is to be said of it, as labels and values.
        path: of the page.

    Raises:
        StorageError: it cannot be written.
    """
    title = f"Predictor of {card['target']}"
    data = ReportData(title, "", [], [], calibration_curves(card), "", dict(facts))
    return write_report(data, path)


def calibration_curves(card: Mapping[str, Any]) -> list[Curve]:
    """What the predictor says of its errors against those on held-out molecules; the diagonal is ideal."""
    if "coverage" in card:
        points = [(float(level), share) for level, share in card["coverage"].items()]
        return [_against_diagonal("Errors inside the interval", "share that should be inside", points)]
    if "reliability" in card:
        points = [(mean, share) for mean, share, _ in card["reliability"]]
        return [_against_diagonal("Ones among the held-out molecules", "predicted probability", points)]
    return []


def _against_diagonal(title: str, label: str, points: Sequence[tuple[float, float]]) -> Curve:
    return Curve(title, "", label, {"found": list(points), "ideal": [(0.0, 0.0), (1.0, 1.0)]})
