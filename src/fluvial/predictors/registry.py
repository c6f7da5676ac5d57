"""The predictors by name. Free of torch until one is loaded, so that reward workers start fast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fluvial.chem.choices import choose_name
from fluvial.core.errors import ConfigError
from fluvial.predictors.card import headline, read_card
from fluvial.predictors.fingerprint_onnx import OnnxReading
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


def learned(file: Path, pessimism: float = 0.0) -> Predictor:
    """A predictor of `fluvial proxy train`. Where the file is missing, only loading it fails.

    Args:
        file: that it wrote.
        pessimism: standard errors that are subtracted from each prediction of a forest.

    Raises:
        DataError: the file is no predictor, or is damaged.
    """
    if not file.exists():  # what is stored of a run can be read without it
        return Predictor(
            "learned", file.name, "", "predicted", partial(_load_learned, file.resolve(), pessimism)
        )
    card = read_card(file)
    errors = f"held-out {headline(card)}" + (f", less {pessimism:g} standard errors" if pessimism else "")
    return Predictor(
        "learned",
        f"{card['network']} of {card['n_train']} molecules of {card['file']}, {errors}",
        card["unit"],
        f"predicted {card['target']}",
        partial(_load_learned, file.resolve(), pessimism),
    )


def onnx(file: Path, reading: OnnxReading) -> Predictor:
    """A user's model in the ONNX format. Where the file is missing, only loading it fails."""
    return Predictor(
        "onnx",
        f"{file.name} on Morgan {reading.fingerprint} of radius {reading.radius}",
        "",
        "predicted by an ONNX model",
        partial(_load_onnx, file.resolve(), reading),
    )


def scscore() -> Predictor:
    """The published score of synthetic complexity."""
    return Predictor(
        "scscore",
        "network of Coley et al. 2018, published weights, 1024 bits",
        "",
        "synthetic complexity, 1 easy to 5 hard (Coley et al. 2018)",
        _load_scscore,
    )


def route(
    library: str = "default", measure: str = "reactions", most_reactions: int = 3, seconds: float = 10.0
) -> Predictor:
    """How easily a molecule is made out of a library of building blocks.

    Args:
        library: `default`, or the path of a library's file.
        measure: a name in `ROUTE_MEASURES`.
        most_reactions: longest routes.
        seconds: longest search for one molecule.

    Raises:
        ConfigError: there is no such measure.
    """
    chosen = choose_name("measure of routes", measure, ROUTE_MEASURES)
    return Predictor(
        "route",
        f"routes of at most {most_reactions} reactions in the library {Path(library).name}",
        "",
        ROUTE_MEASURES[chosen],
        partial(_load_route, library, chosen, most_reactions, seconds),
    )


@dataclass(frozen=True)
class GapMethod:
    """A way to calculate the HOMO-LUMO gap."""

    words: str
    load: Callable[[], Predict]


def gap(method: str = "extended_hueckel") -> Predictor:
    """The HOMO-LUMO gap by a method of `GAP_METHODS`.

    Raises:
        ConfigError: there is no such method.
    """
    chosen = GAP_METHODS[choose_name("method of the gap", method, GAP_METHODS)]
    return Predictor(
        "gap", chosen.words, "eV", "gap between the highest occupied and lowest empty orbital", chosen.load
    )


def _load_seh() -> Predict:
    from fluvial.predictors.seh import load_seh_proxy

    return load_seh_proxy()


def _load_scscore() -> Predict:
    from fluvial.predictors.scscore import load_scscore

    return load_scscore()


def _load_route(library: str, measure: str, most_reactions: int, seconds: float) -> Predict:
    from fluvial.predictors.routes import load_route_measure

    return load_route_measure(library, measure, most_reactions, seconds)


def _load_extended_hueckel() -> Predict:
    from fluvial.predictors.gap import load_extended_hueckel

    return load_extended_hueckel()


def _load_learned(file: Path, pessimism: float) -> Predict:
    if read_card(file)["network"] == "forest":
        from fluvial.predictors.fingerprint_forest import load_forest

        return load_forest(file, pessimism)
    if pessimism:
        raise ConfigError(f"{file}: pessimism = {pessimism:g}: mxmnet has no standard errors; leave it out")
    from fluvial.predictors.learned import load_proxy

    return load_proxy(file)


def _load_onnx(file: Path, reading: OnnxReading) -> Predict:
    from fluvial.predictors.fingerprint_onnx import load_onnx

    return load_onnx(file, reading)


def _load_xtb() -> Predict:
    from fluvial.predictors.gap import load_xtb

    return load_xtb()


GAP_METHODS: dict[str, GapMethod] = {
    "extended_hueckel": GapMethod(
        "extended Hückel theory (RDKit) on an ETKDG conformer", _load_extended_hueckel
    ),
    "xtb": GapMethod("GFN2-xTB (tblite) on an ETKDG conformer", _load_xtb),
}
"""Method of the HOMO-LUMO gap by name."""

ROUTE_MEASURES = {
    "reactions": "fewest reactions that make it, 0 for a block, one more than the limit if none do",
    "price": "sum of the prices of the blocks of its cheapest route",
}
"""Measure of routes by name, and what it is."""

PREDICTORS: dict[str, Callable[[], Predictor]] = {
    "seh": seh,
    "gap": gap,
    "scscore": scscore,
    "route": route,
}
"""Kind of a reward term to its predictor with default options."""
