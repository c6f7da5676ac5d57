"""What the sEH task finds with so many different molecules scored, beside random molecules."""

from __future__ import annotations

import statistics
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from fluvial.metrics.budget import auc_top_k
from fluvial.metrics.molecules import molecules, n_modes, top_k_mean
from fluvial.queue.records import Candidate
from fluvial.queue.store import Store
from fluvial.tasks.registry import load_task
from fluvial.train.launch import start
from fluvial.train.run import Run, SilentProgress
from fluvial.train.run_directory import RunDirectory
from fluvial.train.step import StepResult

HITS = 7.0
"""Proxy from which on a molecule counts as a hit."""
SIMILARITIES = (0.5, 0.7)
"""Tanimoto similarities (Morgan, radius 3) below which hits are different modes."""
SPARE = 1.1
"""Steps that a run may need beyond those that would do if no molecule came twice; arbitrary."""
RANDOM_SPARE = 10.0
"""The same for the random policy, which makes small molecules again and again."""

REFERENCE = {
    "defaults, 10,000 calls": {"top_100": 6.66, "modes_0.5": 5},
    "tuned, 5,100 calls": {"top_100": 7.42, "modes_0.5": 257},
}
"""recursion's gflownet (commit f064713) on the same vocabulary and proxy, one seed each."""

RANDOM = ("policy={kind='uniform'}", "algo.objective=tb", "algo.batch=64", "replay.fraction=0")
"""Overrides that leave the uniform policy."""


def run(calls: int = 10_000, seeds: int = 3, first_seed: int = 0, random: bool = True) -> dict[str, Any]:
    """Molecules of the sEH task after `calls` different ones were scored: best, hits, modes, and seconds.

    `top_k` are means of the k best proxies; `hits` have a proxy of at least 7; `modes_t` are hits of which no
    two are as similar as t. The files `bengio2021` and `seh-proxy` are needed.
    """
    found = [searched(calls, seed, ()) for seed in range(first_seed, first_seed + seeds)]
    means = {name: statistics.mean(result[name] for result in found) for name in found[0] if name != "seed"}
    baseline = {"random_policy": searched(calls, 0, RANDOM, RANDOM_SPARE)} if random else {}
    return {"benchmark": "seh", "calls": calls, "seeds": found, "mean": means, **baseline} | {
        "reference": REFERENCE
    }


class EnoughError(Exception):
    """As many molecules as asked for were scored."""


class UntilCalls(SilentProgress):
    """Ends a run once its store holds `calls` objects."""

    def __init__(self, calls: int) -> None:
        self._calls = calls

    def on_step(self, run: Run, result: StepResult) -> None:
        """Count."""
        if run.store.counts()["objects"] >= self._calls:
            raise EnoughError


def searched(calls: int, seed: int, overrides: tuple[str, ...], spare: float = SPARE) -> dict[str, float]:
    """What one run finds; its `calls` are fewer where so many different molecules did not come."""
    config = load_task("seh", overrides).config
    per_step = config.algo.batch * (1 + config.algo.local_search.rounds)
    steps = round(spare * calls / per_step) + 1
    limits = [f"seed={seed}", "device=cpu", f"stop.steps={steps}", f"log.checkpoint_every={steps + 1}"]
    loaded = load_task("seh", [*overrides, *limits])
    started = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        directory = RunDirectory(Path(folder) / "run")
        with suppress(EnoughError):
            start(loaded, UntilCalls(calls), directory.path)
        seconds = time.perf_counter() - started[0], time.process_time() - started[1]
        with Store.open(directory.store) as store:
            first = sorted(store.candidates(), key=lambda item: item.id)[:calls]
    return {"seed": float(seed), **judged(first), "seconds": seconds[0], "cpu_seconds": seconds[1]}


def judged(candidates: list[Candidate]) -> dict[str, float]:
    """Numbers about molecules in the order in which they were scored."""
    proxies = [candidate.properties.get("seh") for candidate in candidates]
    values = [float("nan") if proxy is None else proxy for proxy in proxies]
    hits = [(item.text, value) for item, value in zip(candidates, values, strict=True) if value >= HITS]
    known = molecules([text for text, _ in hits], [value for _, value in hits])
    modes = {
        f"modes_{similarity}": float(n_modes(known.rewards, known.wide, [HITS], similarity)[0])
        for similarity in SIMILARITIES
    }
    return {
        "calls": float(len(candidates)),
        **{f"top_{k}": top_k_mean(values, k) for k in (10, 100, 1000)},
        "auc_top_10": auc_top_k(values, budget=len(values)),
        "hits": float(len(hits)),
        **modes,
    }
