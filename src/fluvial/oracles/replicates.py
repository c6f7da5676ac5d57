"""One result out of several calculations of the same molecule with different seeds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from fluvial.queue.jobs import Result


def combined(results: Sequence[Result]) -> Result:
    """The mean over the replicates that have a value; with their spread and number where several were asked.

    The spread of a value is `NAME_sd`, the number that worked is `n_replicates`. What became of the others is
    the reason of the result. If none has a value there is none, and the failure may pass if one of them may.

    Args:
        results: of the replicates, at least one.
    """
    good = [result for result in results if result.is_value]
    if not good:
        return Result(reason=results[-1].reason, may_pass=any(result.may_pass for result in results))
    # Without a name in common for all there is no mean.
    names = [name for name in good[0].values if all(name in one.values for one in good)]
    columns = {name: [value for one in good if (value := one.values[name]) is not None] for name in names}
    values: dict[str, float] = {name: statistics.fmean(column) for name, column in columns.items() if column}
    if len(results) > 1:
        values["n_replicates"] = float(len(good))
        values |= {
            f"{name}_sd": statistics.stdev(column) for name, column in columns.items() if len(column) > 1
        }
    failed = "; ".join(result.reason for result in results if not result.is_value)
    return Result(values, failed)
