"""What trajectories were asked for, by name, as it is recorded."""

from __future__ import annotations

from collections.abc import Sequence

from fluvial.core.types import Condition


def named_conditions(condition: Condition, term_names: Sequence[str] = ()) -> list[dict[str, float]]:
    """The fields of each row by name, [B]: `beta`, and `weight TERM` and `focus TERM` where there are any.

    Args:
        condition: [B] rows over K terms.
        term_names: K names; none = the terms are numbered from 1.
    """
    n_terms = max(condition.weights.shape[1], condition.focus.shape[1])
    terms = list(term_names) or [str(number) for number in range(1, n_terms + 1)]
    columns = {"beta": condition.beta.tolist()}
    for field in ("weight", "focus"):
        values = condition.weights if field == "weight" else condition.focus
        columns |= {
            f"{field} {term}": column.tolist() for term, column in zip(terms, values.unbind(1), strict=False)
        }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
