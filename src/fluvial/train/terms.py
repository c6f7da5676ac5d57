"""From a checked configuration to the terms of its reward. Works without torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fluvial.config.choices import IN_MEMORY
from fluvial.config.run_config import RunConfig
from fluvial.core.errors import ConfigError, RewardError
from fluvial.predictors.fingerprint_onnx import OnnxReading
from fluvial.predictors.registry import gap, learned, onnx, route, scscore, seh
from fluvial.rewards.calls import Row
from fluvial.rewards.terms import (
    Term,
    function_term,
    predictor_term,
    property_term,
    similarity_term,
    substructure_term,
)
from fluvial.rewards.transforms import Transform, identity, make_transform

Functions = Mapping[str, Callable[..., object]]
"""Name of a reward term to the Python function that it stands for."""


def build_terms(config: RunConfig, base: Path, functions: Functions) -> tuple[Term, ...]:
    """The terms of the reward; none where the environment has its own."""
    return () if config.reward is None else tuple(_term(term, base, functions) for term in config.reward.term)


def terms_to_read(config: RunConfig) -> tuple[Term, ...]:
    """The terms as far as values in a store are read by them: nothing of them can be measured."""
    given = () if config.reward is None else config.reward.term
    names = [term.name for term in given if term.kind == "function"]
    return build_terms(config, Path(), dict.fromkeys(names, _unmeasured))


def _unmeasured(texts: Sequence[str]) -> list[float]:
    raise RewardError(f"{len(texts)} objects were to be scored by a term that only reads a store")


def _elsewhere(texts: Sequence[str], mols: Sequence[object]) -> list[Row]:
    raise RewardError(f"{len(texts)} objects were to be scored here by a term that only a queue answers")


def built_transform(transform: Any) -> Transform:
    """The transform of a section."""
    return make_transform(transform.kind, **transform.parameters())


def _term(term: Any, base: Path, functions: Functions) -> Term:
    transform = None if term.transform is None else built_transform(term.transform)
    shared = {"label": term.name, "transform": transform, "weight": term.weight}
    if term.kind == "function":
        function = functions.get(term.name, term.function)
        if isinstance(function, str) and function.startswith(IN_MEMORY):
            raise ConfigError(
                f"reward term '{term.name}' was given as a Python function, which no file holds;"
                " give it again, as in fluvial.resume(run, reward=function)"
            )
        return function_term(function, base, output=term.output, **shared)
    if term.kind == "oracle":
        source = f"oracle {term.oracle or term.target} {term.version or ''} {term.options}"
        return Term(
            raw=_elsewhere,
            kind="oracle",
            source=source,
            name=term.name,
            weight=term.weight,
            output=term.output,
            transform=transform or identity,
        )
    if term.kind == "similarity":
        return similarity_term(term.to, **shared)
    if term.kind == "substructure":
        return substructure_term(term.smarts, **shared)
    if term.kind == "learned":
        return predictor_term(learned(base / term.file, term.pessimism), **shared)
    if term.kind == "onnx":
        read = OnnxReading(term.fingerprint, term.radius, term.output, term.column)
        return predictor_term(onnx(base / term.file, read), **shared)
    if term.kind == "gap":
        return predictor_term(gap(term.method), **shared)
    if term.kind == "scscore":
        return predictor_term(scscore(), **shared)
    if term.kind == "route":
        library = term.library if term.library == "default" else str(base / term.library)
        return predictor_term(route(library, term.measure, term.most_reactions, term.seconds), **shared)
    if term.kind == "seh":
        return predictor_term(seh(), **shared)
    return property_term(term.kind, **shared)
