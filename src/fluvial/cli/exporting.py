"""`fluvial export`: what a run recorded, as a table in a file."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fluvial.cli.options import RunFolder
from fluvial.cli.output import say
from fluvial.core.errors import ConfigError

if TYPE_CHECKING:
    from fluvial.config.run_config import RunConfig
    from fluvial.queue.store import Store
    from fluvial.train.table import Table

EXAMPLES = """\
Examples:

fluvial export runs/design -o best.sdf --top 100 --status ok

fluvial export runs/design -o new.csv --since 500 --columns smiles,reward,first_time

fluvial export runs/design -o samples.parquet --of samples

fluvial export runs/design -o curves.csv --of metrics
"""


@dataclass(frozen=True)
class Selection:
    """Which rows are asked for."""

    since: int = 0
    """First training step that counts."""
    top: int | None = None
    """Most rows."""
    statuses: tuple[str, ...] = ()
    """Accepted statuses; none = all."""

    def accepts(self, status: str) -> bool:
        """Whether objects of this status are asked for."""
        return not self.statuses or status in self.statuses


def export(
    run: RunFolder,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="FILE", help="A .csv, .parquet, .sdf, .smi or .json file."),
    ],
    of: Annotated[
        str,
        typer.Option(
            metavar="WHAT",
            help="candidates: each object once, best first; samples: what each step drew under which "
            "condition; metrics: the numbers of each step.",
        ),
    ] = "candidates",
    top: Annotated[int | None, typer.Option(min=1, metavar="N", help="The first N rows only.")] = None,
    since: Annotated[int, typer.Option(min=0, metavar="STEP", help="Of this step and later only.")] = 0,
    status: Annotated[
        list[str] | None,
        typer.Option(metavar="STATUS", help="Objects of this status only: ok, filtered, failed or invalid."),
    ] = None,
    columns: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Columns in this order, as smiles,reward,qed.")
    ] = None,
) -> None:
    """Write what a run recorded into a table. The run is not changed, and may be going on."""
    from fluvial.chem.choices import choose_name
    from fluvial.cli.tables import require_format, write_table
    from fluvial.config.file import load_config
    from fluvial.queue.records import STATUSES
    from fluvial.queue.store import Store
    from fluvial.train.run_directory import RunDirectory

    require_format(output)
    rows = TABLES[choose_name("table of a run", of, TABLES)]
    statuses = tuple(choose_name("status", name, STATUSES) for name in status or ())
    directory = RunDirectory.open_existing(run)
    config = load_config(directory.config).config
    with Store.open(directory.store) as store:
        table = rows(store, config, Selection(since, top, statuses))
    chosen = table if columns is None else only(table, columns.split(","))
    n_rows = len(next(iter(table.values()), ()))
    write_table(output, chosen)
    say(f"{n_rows} rows written to {output}")


def candidates_table(store: Store, config: RunConfig, selection: Selection) -> Table:
    """Each object once, best first; those without a reward last."""
    from fluvial.cli.samples import text_name
    from fluvial.train.export import candidate_columns
    from fluvial.train.run import property_meanings

    found = [
        item
        for item in store.candidates()
        if item.first_step >= selection.since and selection.accepts(item.status)
    ][: selection.top]
    is_molecular = text_name(config) == "smiles"
    names = [name for name in store.property_names() if any(name in item.properties for item in found)]
    columns = candidate_columns(found, names, is_molecular, property_meanings())
    times = store.times()
    clock = [utc(times.get(item.first_step)) for item in found]
    return {**{column.name: column.cells for column in columns}, "first_time": clock}


def samples_table(store: Store, config: RunConfig, selection: Selection) -> Table:
    """What each step drew, in order of steps, with what was asked for."""
    from fluvial.cli.samples import text_name

    found = [item for item in store.samples(selection.since) if selection.accepts(item.status)]
    found = found[: selection.top]
    times = store.times()
    asked = sorted({name for item in found for name in item.condition})
    return {
        "step": [item.step for item in found],
        "time": [utc(times.get(item.step)) for item in found],
        text_name(config): [item.text for item in found],
        "reward": [item.reward for item in found],
        "status": [item.status for item in found],
        **{name: [item.condition.get(name) for item in found] for name in asked},
        "policy_version": [item.policy_version for item in found],
        "count": [item.count for item in found],
    }


def metrics_table(store: Store, config: RunConfig, selection: Selection) -> Table:
    """The numbers of each step, in order of steps.

    Raises:
        ConfigError: a status is asked for.
    """
    if selection.statuses:
        raise ConfigError("metrics have no status; leave out --status")
    series = {name: dict(points) for name, points in store.metric_series(store.metric_names()).items()}
    found = sorted({step for points in series.values() for step in points if step >= selection.since})
    found, times = found[: selection.top], store.times()
    values = {name: [points.get(step) for step in found] for name, points in series.items()}
    return {"step": found, "time": [utc(times.get(step)) for step in found], **values}


def only(table: Table, names: Sequence[str]) -> Table:
    """The named columns, in order.

    Raises:
        ConfigError: there is no such column.
    """
    from fluvial.chem.choices import choose_name

    return {name: table[name] for name in (choose_name("column", name.strip(), table) for name in names)}


def utc(seconds: float | None) -> str | None:
    """Seconds since 1970 as text like 2026-01-31T12:00:00Z."""
    return None if seconds is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


TABLES: Mapping[str, Callable[[Store, RunConfig, Selection], Table]] = {
    "candidates": candidates_table,
    "samples": samples_table,
    "metrics": metrics_table,
}
"""What can be exported."""
