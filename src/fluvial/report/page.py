"""The run page: one HTML file with everything inside, which opens from a disk and needs no network."""

from __future__ import annotations

import base64
import hashlib
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from fluvial.chem.synthesis.routes import Route
from fluvial.core.errors import StorageError
from fluvial.core.files import write_bytes_atomic
from fluvial.report.charts import Curve, figure
from fluvial.report.depict import picture
from fluvial.report.route_picture import route_picture

__all__ = ["Curve", "ReportData", "ReportMolecule", "render", "write_report"]

N_PICTURES = 200
"""Molecules that get a card with a picture: about 1 MB of page."""
CARD_PROPERTIES = 6
"""Properties on a card; the table has all."""
LONG_FACT = 11
"""Characters above which a fact is set smaller."""
LONG_NAME = 9
"""Characters above which a property takes a whole line of a card."""


@dataclass(frozen=True)
class ReportMolecule:
    """One molecule of the page."""

    rank: int
    smiles: str
    reward: float | None
    """None (or nan) where there is no reward: shown as missing, never as 0."""
    properties: Mapping[str, float | None]
    times_sampled: int
    first_step: int
    status: str
    """`ok`, `filtered`, `failed`, `pending` or any other word."""


@dataclass(frozen=True)
class ReportData:
    """All that the page shows."""

    title: str
    subtitle: str
    molecules: Sequence[ReportMolecule]
    """In the order of the page, the best first."""
    property_names: Sequence[str]
    """Columns of the table, in order; the first few are on the cards."""
    curves: Sequence[Curve]
    configuration: str
    """TOML text."""
    facts: Mapping[str, str]
    """Label to value: number of unique molecules, steps, time, versions."""
    routes: Sequence[Route] = ()
    """Syntheses to draw, in order."""


@dataclass(frozen=True)
class _Cell:
    shown: str
    exact: str


@dataclass(frozen=True)
class _Row:
    molecule: ReportMolecule
    reward: _Cell
    properties: list[_Cell]
    picture: Markup | None
    has_card: bool


def render(data: ReportData, n_pictures: int = N_PICTURES) -> str:
    """The page as HTML text; the same data give the same text.

    The first `n_pictures` molecules (>= 0) get a card with a picture, all are in the table.
    """
    environment = Environment(
        loader=PackageLoader("fluvial.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = _source("report.css")
    script = _source("molecules.js") + _source("charts.js")
    return environment.get_template("report.html").render(
        data=data,
        rows=_rows(data, n_pictures),
        figures=[figure(curve) for curve in data.curves],
        routes=[(route, route_picture(route, f"route{n}")) for n, route in enumerate(data.routes)],
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        example=_example(data),
        card_properties=CARD_PROPERTIES,
        long_fact=LONG_FACT,
        long_name=LONG_NAME,
    )


def write_report(data: ReportData, path: str | Path, n_pictures: int = N_PICTURES) -> Path:
    """The path of the written page; a page that was there is replaced at once or not at all.

    Raises `StorageError` where the folder is missing or cannot be written.
    """
    path = Path(path)
    content = render(data, n_pictures).encode("utf-8", "backslashreplace")
    try:
        write_bytes_atomic(path, content)
    except StorageError as error:
        raise StorageError(
            f"cannot write the report {error} Name a file in an existing folder that you may write to"
        ) from error
    return path


def _source(name: str) -> Markup:
    text = (files("fluvial.report") / "templates" / name).read_text(encoding="utf-8")
    # Safe: a file of this package, not input.
    return Markup(text)  # noqa: S704


def _hash(text: str) -> str:
    """The source expression by which a content security policy allows exactly this inline text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _rows(data: ReportData, n_pictures: int) -> list[_Row]:
    rewards = _cells([molecule.reward for molecule in data.molecules])
    columns = [
        _cells([molecule.properties.get(name) for molecule in data.molecules]) for name in data.property_names
    ]
    return [
        _Row(
            molecule,
            rewards[index],
            [column[index] for column in columns],
            picture(molecule.smiles, f"m{index}") if index < n_pictures else None,
            index < n_pictures,
        )
        for index, molecule in enumerate(data.molecules)
    ]


def _known(values: Sequence[float | None]) -> list[float]:
    return [float(value) for value in values if value is not None and math.isfinite(value)]


def _cells(values: Sequence[float | None]) -> list[_Cell]:
    """A column's texts with the same number of decimals; both are empty where the value is missing."""
    known = _known(values)
    largest = max(map(abs, known), default=0.0)
    decimals = 0 if all(map(float.is_integer, known)) else 3 if largest < 10 else 2 if largest < 100 else 1
    return [_cell(value, decimals) for value in values]


def _cell(value: float | None, decimals: int) -> _Cell:
    if value is None or not math.isfinite(value):
        return _Cell("", "")
    value = float(value)
    if value == 0.0 or 0.5 * 10.0**-decimals <= abs(value) < 1e6:
        shown = f"{value:.{decimals}f}"
    else:
        digits, power = f"{value:.2e}".split("e")
        shown = f"{digits}e{int(power)}"
    return _Cell(shown.replace("-", "\N{MINUS SIGN}"), repr(value).removesuffix(".0"))


def _example(data: ReportData) -> str:
    """A condition that about half of the molecules meet, to show how the filter works."""
    for name in data.property_names:
        known = _known([molecule.properties.get(name) for molecule in data.molecules])
        if known:
            middle = statistics.median(known)
            return f"{name} > {middle:.0f}" if abs(middle) >= 10 else f"{name} > {middle:.2g}"
    return "reward > 0.5"
