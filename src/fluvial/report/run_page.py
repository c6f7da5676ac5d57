"""The page of a run, from what its folder holds. Works without torch, also while the run is going on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fluvial.chem.fingerprints import Fingerprint, morgan_fingerprints, readable
from fluvial.chem.synthesis.routes import Route
from fluvial.config.file import load_config
from fluvial.core.errors import FluvialError
from fluvial.core.files import storage_error
from fluvial.core.plain import masked
from fluvial.metrics.budget import moments, top_k_curve
from fluvial.metrics.molecules import CIRCLE_RADIUS, diversity
from fluvial.queue.records import Candidate
from fluvial.queue.store import Store
from fluvial.report.page import N_PICTURES, Curve, ReportData, ReportMolecule, write_report
from fluvial.rewards.terms import Term
from fluvial.train.findings import in_order_of_calls, judged
from fluvial.train.pareto import front_of
from fluvial.train.plan import METRIC_PREFIX
from fluvial.train.run_directory import RunDirectory, package_versions
from fluvial.train.terms import terms_to_read

if TYPE_CHECKING:
    from fluvial.config.run_config import RunConfig

N_TOP = 100
"""Best molecules whose diversity is measured, the usual number."""
N_DOTS = 1000
"""Objects beside the front in the chart of a trade-off; arbitrary."""
N_DIVERSITY_POINTS = 20
"""Moments at which it is measured; arbitrary."""

N_ROUTES = 12
"""Molecules whose routes are drawn; arbitrary."""
N_EACH = 20
"""Routes of one molecule among which the best is drawn; arbitrary."""
ROUTE_SECONDS = 3.0
"""Longest search of one; arbitrary."""
N_CALL_POINTS = 50
"""Numbers of reward calls at which the best are looked at; arbitrary."""

MEASURED = {f"{METRIC_PREFIX}total_variation": "total variation", f"{METRIC_PREFIX}fcs": "FCS"}
"""Metrics of the section [evaluate] that are drawn, and what they are called."""
SERIES = (
    "reward_q10",
    "reward_median",
    "reward_q90",
    "reward_max",
    "loss",
    "log_z",
    "n_steps",
    *MEASURED,
)


def write_run_page(path: Path, n: int = N_PICTURES, output: Path | None = None) -> Path:
    """The path of the page about the run in `path`, written anew.

    Args:
        path: folder of the run.
        n: molecules on the page, the best ones.
        output: the file to write; by default `report.html` in the folder.

    Raises:
        StorageError: there is no run, or the page cannot be written.
    """
    directory = RunDirectory.open_existing(path)
    return write_report(run_report(directory, n), output or directory.report, min(n, N_PICTURES))


def run_report(directory: RunDirectory, n: int = N_PICTURES) -> ReportData:
    """What the page of a run shows.

    Raises:
        StorageError: the store or the configuration is missing or damaged.
    """
    config = load_config(directory.config).config
    try:
        text = directory.config.read_text(encoding="utf-8")
    except OSError as error:
        raise storage_error(error, directory.config) from error
    with Store.open(directory.store) as store:
        objects, counts = store.candidates(), store.counts()
        series = store.metric_series(SERIES)
    is_molecular = config.is_molecular
    curves = [*metric_curves(series), unique_curve(objects), calls_curve(objects), *measured_curves(series)]
    if is_molecular:
        curves.append(diversity_curve(objects))
    terms = terms_to_read(config)
    if len(terms) == 2:
        curves.append(trade_off_curve(terms, objects))
    return ReportData(
        directory.path.resolve().name,
        subtitle(config),
        [_molecule(rank, item) for rank, item in enumerate(objects[:n], 1)],
        property_names(config, objects),
        curves,
        masked(text),
        facts(config, objects, counts, series) | _environment(directory),
        routes_of_best(directory, objects),
    )


def routes_of_best(directory: RunDirectory, objects: Sequence[Candidate]) -> list[Route]:
    """The best route of each of the best molecules of a run of syntheses; none of other runs.

    A library that has been lost since the run leaves them out, because the page must not depend on it.
    """
    from fluvial.train.routes import route_search

    try:
        search = route_search(directory)
    except FluvialError:
        return []
    best = [item.text for item in objects[:N_ROUTES] if item.text and item.reward is not None]
    found = [search.routes(text, most=N_EACH, seconds=ROUTE_SECONDS).routes[:1] for text in best]
    return [route for one in found for route in one]


def subtitle(config: RunConfig) -> str:
    """What the run is about, in one line."""
    if config.reward is None:
        return f"{config.env.kind}, its own reward"
    sign = " \N{MULTIPLICATION SIGN} " if config.reward.combine == "product" else ", "
    beta = config.condition.beta
    numbers = " to ".join(f"{number:g}" for number in beta.numbers)
    law = "" if beta.distribution == "constant" else f" ({beta.distribution})"
    names = sign.join(term.name for term in config.reward.term)
    return f"Reward {names}, drawn by its power {numbers}{law}{_asked(config)}"


def _asked(config: RunConfig) -> str:
    """What else trajectories are asked for, in words that go on a sentence."""
    condition = config.condition
    words = []
    if condition.preference is not None:
        words.append(f"preferences ({condition.preference.kind}, {condition.preference.scalarisation})")
    if condition.focus is not None:
        words.append(f"focus regions ({condition.focus.kind})")
    if condition.target:
        words.append(f"targets of {', '.join(target.property for target in condition.target)}")
    return f", with {' and '.join(words)}" if words else ""


def property_names(config: RunConfig, objects: Sequence[Candidate]) -> list[str]:
    """Columns of the page: the terms of the reward, then what else was found out."""
    terms = [] if config.reward is None else [term.name for term in config.reward.term]
    found = sorted({name for item in objects for name in item.properties})
    return [*(name for name in terms if name in found), *(name for name in found if name not in terms)]


def metric_curves(series: Mapping[str, Sequence[tuple[int, float]]]) -> list[Curve]:
    """Reward, loss and log Z over the training steps."""
    reward = {
        "median": series["reward_median"],
        "10 %": series["reward_q10"],
        "90 %": series["reward_q90"],
        "largest": series["reward_max"],
    }
    return [
        Curve("Reward", "", "step", reward, band=("10 %", "90 %")),
        Curve("Loss", "nats\N{SUPERSCRIPT TWO}", "step", {"loss": series["loss"]}, log_scale=True),
        Curve("log Z", "nats", "step", {"log Z": series["log_z"]}),
    ]


def unique_curve(objects: Sequence[Candidate]) -> Curve:
    """Different objects met up to each step."""
    new: dict[int, int] = {}
    for item in objects:
        new[item.first_step] = new.get(item.first_step, 0) + 1
    steps = sorted(new)
    totals = accumulate(new[step] for step in steps)
    return Curve("Different objects", "", "step", {"met so far": list(zip(steps, totals, strict=True))})


def trade_off_curve(terms: Sequence[Term], objects: Sequence[Candidate]) -> Curve:
    """The front of two reward terms as a line, and the best other objects as dots; `objects` best first."""
    front = front_of(terms, objects)
    on, off = front.values[front.is_on], front.values[~front.is_on & np.isfinite(front.values).all(axis=1)]
    dots: list[tuple[float, float | None]] = []
    for x, y in off[:N_DOTS].tolist():
        # A gap behind each point keeps it from being joined to the next one.
        dots += [(x, y), (x, None)]
    first, second = front.names
    return Curve(f"{second} against {first}", "", first, {"front": on.tolist(), "others": dots})


def calls_curve(objects: Sequence[Candidate]) -> Curve:
    """Mean of the best objects known after so many different ones whose reward was asked for."""
    rewards = judged(in_order_of_calls(objects), "reward")
    calls = moments(len(rewards), N_CALL_POINTS)
    best = {f"best {k}": list(zip(calls, top_k_curve(rewards, k, calls), strict=True)) for k in (10, N_TOP)}
    return Curve("Mean of the best", "", "reward calls", best)


def measured_curves(series: Mapping[str, Sequence[tuple[int, float]]]) -> list[Curve]:
    """What was measured on the way, where something was."""
    found = {label: series[name] for name, label in MEASURED.items() if series[name]}
    return [Curve("Distance to the target", "", "step", found)] if found else []


def diversity_curve(objects: Sequence[Candidate]) -> Curve:
    """Diversity of the best molecules known at some steps; `objects` best first."""
    rewarded = [item for item in objects if item.status == "ok"]
    last = max((item.first_step for item in rewarded), default=0)
    steps = sorted(
        {round(last * part / N_DIVERSITY_POINTS) for part in range(1, N_DIVERSITY_POINTS + 1)} - {0}
    )
    fingerprints: dict[str, Fingerprint | None] = {}
    points = [(step, _diversity_at(rewarded, step, fingerprints)) for step in steps]
    return Curve("Diversity", "", "step", {f"best {N_TOP}": points})


def facts(
    config: RunConfig,
    objects: Sequence[Candidate],
    counts: Mapping[str, int],
    series: Mapping[str, Sequence[tuple[int, float]]],
) -> dict[str, str]:
    """Numbers about the whole run, by label."""
    steps = [step for points in series.values() for step, _ in points] or [0]
    best = next((item.reward for item in objects if item.reward is not None), None)
    return {
        "Different objects": f"{counts['objects']:,}",
        "Drawn": f"{counts['samples']:,}",
        "Steps": f"{max(steps):,} of {config.stop.steps:,}",
        "Best reward": "none" if best is None else f"{best:.4f}",
        "Failed": _share(counts["failed"] + counts["invalid"], counts["objects"]),
        "Filtered": _share(counts["filtered"], counts["objects"]),
        "Seed": str(config.seed),
    }


def _environment(directory: RunDirectory) -> dict[str, str]:
    """Versions and time of the start, as far as they are written down."""
    try:
        found = json.loads(directory.environment.read_text(encoding="utf-8"))
        started = str(found["created"])[:16].replace("T", " ")
        device = {"Device": str(found["device"])} if "device" in found else {}
        return {**device, "Started": started, "Versions": _versions(found["versions"])}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # A page is worth having without it.
        return {"Versions of the page": _versions(package_versions())}


def _versions(found: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {found[name]}" for name in ("fluvial", "torch", "rdkit") if name in found)


def _diversity_at(
    objects: Sequence[Candidate], step: int, fingerprints: dict[str, Fingerprint | None]
) -> float:
    top: list[Fingerprint] = []
    for item in objects:
        if item.first_step <= step:
            if item.text not in fingerprints:
                fingerprints[item.text] = _fingerprint(item.text)
            found = fingerprints[item.text]
            top += [] if found is None else [found]
        if len(top) == N_TOP:
            break
    return diversity(top)


def _fingerprint(text: str) -> Fingerprint | None:
    mol = readable([text])[0]
    return None if mol is None else morgan_fingerprints([mol], CIRCLE_RADIUS)[0]


def _molecule(rank: int, item: Candidate) -> ReportMolecule:
    return ReportMolecule(
        rank, item.text, item.reward, item.properties, item.times_sampled, item.first_step, item.status
    )


def _share(part: int, whole: int) -> str:
    return f"{100.0 * part / whole:.1f} %" if whole else ""
