"""What trajectories were asked for, by name, as it is recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from fluvial.core.types import Condition


@dataclass(frozen=True)
class Names:
    """What the numbers of a condition are called."""

    terms: Sequence[str] = ()
    """Of the K reward terms; numbered from 1 where there are none."""
    targets: Sequence[str] = ()
    """Of the P properties with targets, likewise."""


UNNAMED = Names()


def condition_columns(condition: Condition, names: Names = UNNAMED) -> dict[str, list[float]]:
    """Column to cells [B]: `beta` and, where asked, `weight TERM`, `focus TERM`, `target NAME`, `log Z`."""
    columns = {"beta": condition.beta}
    columns |= _labelled("weight", condition.weights, names.terms)
    columns |= _labelled("focus", condition.focus, names.terms)
    columns |= _labelled("target", condition.target, names.targets)
    if condition.log_z.shape[1]:
        columns["log Z"] = condition.log_z[:, 0]
    return {name: column.tolist() for name, column in columns.items()}


def named_conditions(condition: Condition, names: Names = UNNAMED) -> list[dict[str, float]]:
    """The columns of each row by name, [B]."""
    columns = condition_columns(condition, names)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _labelled(word: str, values: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
    labels = list(names) or [str(number) for number in range(1, values.shape[1] + 1)]
    return {f"{word} {label}": column for label, column in zip(labels, values.unbind(1), strict=False)}
