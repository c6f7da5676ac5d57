"""Numbers for a reward out of the fields that Boltz writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from fluvial.rewards.transforms import Transform, identity

Fields = Mapping[str, float]
"""Field of the affinity or confidence file to its number."""


@dataclass(frozen=True)
class Preset:
    """A formula with a name."""

    fields: tuple[str, ...]
    """That it needs."""
    formula: Callable[[Fields], float]


def published(fields: Fields) -> float:
    """max(0, (2 - affinity_pred_value1) / 4) x affinity_probability_binary1: of the first member alone.

    The value is log10 of IC50 in µM. There is no upper bound: 1 pM gives 2 times the probability.
    The published reward has a filter as a further factor, which here is a filter of the run.
    """
    return max(0.0, (2.0 - fields["affinity_pred_value1"]) / 4.0) * fields["affinity_probability_binary1"]


def ensemble(fields: Fields) -> float:
    """The published formula with the mean of both members."""
    return max(0.0, (2.0 - fields["affinity_pred_value"]) / 4.0) * fields["affinity_probability_binary"]


def pic50(fields: Fields) -> float:
    """6 - affinity_pred_value: -log10 of IC50 in mol/l."""
    return 6.0 - fields["affinity_pred_value"]


def kcal_per_mol(fields: Fields) -> float:
    """1.364 (6 - affinity_pred_value): the free energy of binding at 298 K, with its sign turned."""
    return 1.364 * pic50(fields)


PRESETS: dict[str, Preset] = {
    "published": Preset(("affinity_pred_value1", "affinity_probability_binary1"), published),
    "ensemble": Preset(("affinity_pred_value", "affinity_probability_binary"), ensemble),
    "pic50": Preset(("affinity_pred_value",), pic50),
    "kcal_per_mol": Preset(("affinity_pred_value",), kcal_per_mol),
}
"""Formulas by name."""


@dataclass(frozen=True)
class Factor:
    """A transformed field."""

    field: str
    transform: Transform = identity
    weight: float = 1.0


def product(name: str, factors: Sequence[Factor]) -> Preset:
    """The formula of a user: the product of transformed fields, each to the power of its weight."""
    chosen = tuple(factors)

    def formula(fields: Fields) -> float:
        value = 1.0
        for factor in chosen:
            value *= factor.transform(fields[factor.field]) ** factor.weight
        return value

    formula.__name__ = name
    return Preset(tuple(factor.field for factor in chosen), formula)
