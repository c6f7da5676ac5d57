"""`fluvial status` and `fluvial watch`: how a run and its queue are doing."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fluvial.cli.options import AsJson
from fluvial.cli.output import aligned, say, say_json
from fluvial.cli.working import Place
from fluvial.core.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from fluvial.queue.store import Store
    from fluvial.train.run_directory import RunDirectory

STATUS_EXAMPLES = """\
Examples:

fluvial status runs/design

fluvial status postgresql://me@host/fluvial --json
"""

WATCH_EXAMPLES = """\
Example:

fluvial watch runs/design --every 5
"""

N_BEST = 5


def status(place: Place, as_json: AsJson = False) -> None:
    """Show depth, rates, times, failures and workers of a queue, and the best objects of a run."""
    found = look(place)
    if as_json:
        say_json(found)
    else:
        say(picture(found))


def watch(
    place: Place,
    every: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="Time between two looks.")] = 2.0,
    times: Annotated[int | None, typer.Option(min=1, help="Looks after which it ends.")] = None,
) -> None:
    """Show the same again and again, until Ctrl-C."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    left = math.inf if times is None else times
    with Live(console=Console(), auto_refresh=False) as live:
        while left > 0:
            live.update(Text(picture(look(place))), refresh=True)
            left -= 1
            if left:
                time.sleep(every)


def look(place: str) -> dict[str, Any]:
    """What is known of a run, a queue, or both, as JSON values.

    Raises:
        StorageError: there is neither.
    """
    from fluvial.queue.database import path_of, shown
    from fluvial.train.oracles import budgets_of
    from fluvial.train.saved import place_of, run_at, saved_configuration

    run, queue = run_at(place), place_of(place)
    path = path_of(queue)
    is_begun = run is not None and run.store.is_file()
    has_queue = path is None or path.is_file()
    if not is_begun and not has_queue:
        raise StorageError(f"There is no run and no queue at {shown(place)}. Check the path.")
    budgets: dict[str, int] = {}
    if run is not None:
        loaded = saved_configuration(run)
        with suppress(ConfigError):  # a file that says what is asked may be on another machine
            budgets = budgets_of(loaded.config, loaded.base)
    return {
        "place": shown(place),
        "queue": queue_status(queue, budgets) if has_queue else None,
        "run": run_status(run) if run is not None and is_begun else None,
    }


def queue_status(place: str, budgets: Mapping[str, int]) -> dict[str, Any]:
    """The summary of a queue, with `max_calls` of the oracles that have a budget, by fingerprint."""
    from fluvial.queue.opening import open_queue
    from fluvial.queue.summary import summarise

    with closing(open_queue(place, create=False, patience_seconds=1.0)) as queue:
        found = summarise(queue).as_json()
    for oracle in found["oracles"]:
        oracle["max_calls"] = budgets.get(oracle["fingerprint"])
    return found


def run_status(folder: RunDirectory) -> dict[str, Any]:
    """Steps, objects and the best objects of a run."""
    from fluvial.queue.store import Store

    with Store.open(folder.store) as store:
        best = [one for one in store.candidates(N_BEST) if one.reward is not None]
        return {
            "last_step": store.last_step,
            "counts": store.counts(),
            "best": [{"object": one.text, "reward": one.reward} for one in best],
            "staleness": staleness(store),
        }


def staleness(store: Store) -> dict[str, float]:
    """How old was what the run learned from, and how much waited, at the last step that tells."""
    series = store.metric_series(("waiting", "policy_lag", "policy_lag_max"))
    return {name: points[-1][1] for name, points in series.items() if points}


def picture(found: dict[str, Any]) -> str:
    """What was found, in lines."""
    rows: list[tuple[str, str]] = [("place", found["place"])]
    if found["run"] is not None:
        rows += run_rows(found["run"])
    if found["queue"] is not None:
        rows += queue_rows(found["queue"])
    return aligned(rows)


def run_rows(run: dict[str, Any]) -> list[tuple[str, str]]:
    """Lines on a run."""
    counts = ", ".join(f"{n} {name}" for name, n in run["counts"].items() if n)
    rows = [("step", str(run["last_step"])), ("recorded", counts or "nothing yet")]
    if old := run["staleness"]:
        texts = [f"{old['waiting']:g} trajectories wait"] if "waiting" in old else []
        if "policy_lag" in old:
            texts.append(
                f"what came last was {old['policy_lag']:.3g} steps old, {old['policy_lag_max']:g} at most"
            )
        rows.append(("staleness", "; ".join(texts)))
    best = [f"{one['reward']:.4f}  {one['object']}" for one in run["best"]]
    return rows + list(zip(["best", *[""] * len(best)], best, strict=False))


def queue_rows(queue: dict[str, Any]) -> list[tuple[str, str]]:
    """Lines on a queue."""
    rows = [("jobs", count_text(queue["counts"]))]
    if len(queue["oracles"]) > 1:
        rows += [
            (f"  {one['name']}", f"{count_text(one['counts'])}  ({one['fingerprint'][:8]})")
            for one in queue["oracles"]
        ]
    rows += [
        ("budget", f"{one['name']}: {one['counts']['submitted']} of {one['max_calls']} calls")
        for one in queue["oracles"]
        if one["max_calls"] is not None
    ]
    rows += [
        ("rate", f"{queue['answers_per_minute']:.3g} a minute"),
        ("until answered", times_text(queue["latency"])),
        ("oldest", age_text(queue["oldest_seconds"])),
        ("evaluation", times_text(queue["evaluation"])),
        ("workers", workers_text(queue)),
    ]
    rows += [("failed", f"{n} x {reason}") for reason, n in queue["reasons"]]
    events = ", ".join(f"{n} {name}" for name, n in queue["events"].items() if n)
    rows += [("events", events)] if events else []
    switched = [name for name, is_on in queue["controls"].items() if is_on]
    rows += [("switched", " and ".join(switched))] if switched else []
    if not queue["add_up"]:
        rows.append(
            ("WARNING", "these numbers do not add up: jobs were changed by something else than Fluvial")
        )
    return rows


def count_text(counts: dict[str, int]) -> str:
    """Numbers of jobs by state."""
    return ", ".join(f"{n} {name}" for name, n in counts.items() if n or name == "submitted")


def times_text(times: dict[str, float]) -> str:
    """Percentiles in words."""
    if math.isnan(times["p50"]):
        return "nothing yet"
    return f"{times['p50']:.3g} s median, {times['p90']:.3g} s at 90 %, {times['p99']:.3g} s at 99 %"


def age_text(seconds: float) -> str:
    """Age of the job that waits longest."""
    return "nothing waits" if math.isnan(seconds) else f"waits for {seconds:.3g} s"


def workers_text(queue: dict[str, Any]) -> str:
    """Workers alive and lost."""
    busy = sum(one["state"] == "working" for one in queue["workers"])
    lost = f", {queue['lost_workers']} not seen for long" if queue["lost_workers"] else ""
    return f"{len(queue['workers'])} alive, {busy} of them working{lost}"
