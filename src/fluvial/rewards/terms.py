"""The terms of a reward: what is measured, how it becomes a value, and how much it weighs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fluvial.chem.choices import choose_name
from fluvial.chem.properties import PROPERTIES
from fluvial.core.errors import ConfigError
from fluvial.predictors.registry import PREDICTORS, Predictor
from fluvial.rewards import measures
from fluvial.rewards.calls import Failure, Row, Value, describe, finite_value
from fluvial.rewards.defaults import DEFAULT_TRANSFORMS
from fluvial.rewards.function import check_signature, split_spec
from fluvial.rewards.transforms import Transform, identity, make_transform

PROPERTY_ALIASES = {"sa_score": "sa", "np_score": "np", "molecular_weight": "mw", "slogp": "logp"}


@dataclass(frozen=True)
class Term:
    """One factor or summand of a reward."""

    name: str
    """Column name in tables and reports."""
    kind: str
    """Name of the property or predictor, "function", "similarity" or "substructure"."""
    source: str
    """What `raw` calculates; terms with the same source share one call per batch."""
    raw: measures.RawFunction
    transform: Transform
    """Raw value to a value >= 0."""
    weight: float = 1.0
    """>= 0."""
    output: str | None = None
    """Which of several named values of `raw` is meant."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.weight) and self.weight >= 0.0):
            raise ConfigError(f"reward term '{self.name}': weight = {self.weight:g} must be at least 0")

    def raw_value(self, row: Row) -> Value:
        """The value that this term is about: `output`, else the only one, else the one of the term's name."""
        if not isinstance(row, Mapping):
            return row if self.output is None or isinstance(row, Failure) else self._no_output(())
        if self.output is not None:
            return row.get(self.output, self._no_output(row))
        if len(row) == 1:
            return next(iter(row.values()))
        return row.get(self.name, Failure(f"returned {', '.join(row)}: choose one of them as output"))

    def value(self, raw: Value) -> Value:
        """The transformed value, >= 0 and finite, or why there is none."""
        if isinstance(raw, Failure):
            return raw
        try:
            value = finite_value(self.transform(raw))
        except Exception as error:
            return Failure(str(error) if isinstance(error, ValueError) else describe(error))
        if not isinstance(value, Failure) and value < 0.0:
            return Failure(f"the transform gave {value:g}, which is negative")
        return value

    def _no_output(self, found: Sequence[str] | Mapping[str, Value]) -> Failure:
        names = ", ".join(found) if found else "values without names"
        return Failure(f"returned no '{self.output}' (found: {names})")


def property_term(
    name: str, *, label: str | None = None, transform: Transform | None = None, weight: float = 1.0
) -> Term:
    """A built-in property of `fluvial.chem.properties.PROPERTIES`, by default with `DEFAULT_TRANSFORMS`.

    Raises:
        ConfigError: there is no such property.
    """
    found = choose_name("reward property", name, (*PROPERTIES, *PROPERTY_ALIASES))
    kind = PROPERTY_ALIASES.get(found, found)
    return Term(
        label or kind,
        kind,
        f"property {kind}",
        partial(measures.property_rows, kind),
        transform or DEFAULT_TRANSFORMS[kind],
        weight,
    )


def predictor_term(
    predictor: Predictor,
    *,
    label: str | None = None,
    transform: Transform | None = None,
    weight: float = 1.0,
) -> Term:
    """What a predictor says of each molecule, by default with `DEFAULT_TRANSFORMS`."""
    name = predictor.name
    source = f"predictor {name}: {predictor.method}"
    raw = measures.Predicted(predictor)
    return Term(label or name, name, source, raw, transform or DEFAULT_TRANSFORMS.get(name, identity), weight)


def named_term(
    name: str, *, label: str | None = None, transform: Transform | None = None, weight: float = 1.0
) -> Term:
    """The term of a built-in property or of a predictor with its default options.

    Raises:
        ConfigError: there is neither of that name.
    """
    found = choose_name("reward property", name, (*PROPERTIES, *PROPERTY_ALIASES, *PREDICTORS))
    if found in PREDICTORS:
        return predictor_term(PREDICTORS[found](), label=label, transform=transform, weight=weight)
    return property_term(found, label=label, transform=transform, weight=weight)


def function_term(
    function: str | Callable[..., object],
    base: Path = Path(),
    *,
    label: str | None = None,
    output: str | None = None,
    transform: Transform | None = None,
    weight: float = 1.0,
) -> Term:
    """A user's function, given as "file.py:function" or as itself.

    The file is imported at the first use, in the process that scores. A function given as itself can be used
    with workers only if they can import it under its name.

    Args:
        function: takes a list of SMILES or of RDKit molecules (see `takes_molecules`); returns a list of
            numbers or a dict: name to such a list.
        base: folder that a relative path starts from.
        label: name of the term; by default the function's.
        output: which entry of the dict is the term; the others are reported beside it.
        transform: by default values are used as they are, and negative ones are failures.
        weight: >= 0.

    Raises:
        RewardError: the text is not of the form file.py:function, or the function takes other arguments.
    """
    raw: measures.UserFile | measures.UserFunction
    if isinstance(function, str):
        name, raw = split_spec(function)[1], measures.UserFile(function, base.resolve())
        source = f"function {raw.base / function}"
    else:
        name = getattr(function, "__name__", type(function).__name__)
        check_signature(function, name)
        raw, source = measures.UserFunction(function), f"function {name} at {id(function)}"
    return Term(label or name, "function", source, raw, transform or identity, weight, output)


def similarity_term(
    smiles: Sequence[str],
    *,
    label: str = "similarity",
    transform: Transform | None = None,
    weight: float = 1.0,
) -> Term:
    """The greatest Tanimoto similarity to any of the given molecules, by default as it is, 0 to 1.

    Raises:
        ConfigError: no molecule, or one that cannot be read.
    """
    chosen = tuple(smiles)
    measures.nearest_similarity(chosen)
    source = f"similarity {' '.join(chosen)}"
    return Term(
        label, "similarity", source, partial(measures.similarity_rows, chosen), transform or identity, weight
    )


def substructure_term(
    smarts: str, *, label: str = "substructure", transform: Transform | None = None, weight: float = 1.0
) -> Term:
    """The number of matches of a SMARTS pattern; by default 1 where there is any, else 0.

    Raises:
        ConfigError: `smarts` is not a SMARTS pattern.
    """
    measures.match_count(smarts)
    transform = transform or make_transform("clip", low=0, high=1)
    source = f"substructure {smarts}"
    return Term(label, "substructure", source, partial(measures.substructure_rows, smarts), transform, weight)
