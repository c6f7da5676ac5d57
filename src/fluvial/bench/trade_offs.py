"""Whether a run that learned all trade-offs gives the one that is asked for, and how its front grows."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fluvial.metrics.agreement import spearman
from fluvial.metrics.pareto import hypervolume
from fluvial.queue.records import Candidate
from fluvial.queue.store import Store
from fluvial.rewards.terms import Term
from fluvial.tasks.registry import load_task
from fluvial.train.asking import Wish
from fluvial.train.launch import TrainedRun, start, trained
from fluvial.train.pareto import term_values
from fluvial.train.run import SilentProgress
from fluvial.train.run_directory import RunDirectory
from fluvial.train.terms import terms_to_read

WEIGHTS = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)
"""Weights of one term that are asked for; the others share the rest evenly. Arbitrary."""
N_MARKS = 8
"""Equal parts of the scored objects after which the hypervolume is told; arbitrary."""

Scores = NDArray[np.float64]


def run(task: str = "seh_moo", steps: int = 0, seeds: int = 1, draws: int = 128) -> dict[str, Any]:
    """Hypervolume of all objects scored so far, and how each term answers to the weight that is asked for it.

    `mean_scores` are means over `draws` objects at each of `weights`; a score is a term's value after its
    transform. `response` is the rank correlation of the weight with these means, 1 where more weight always
    gives more of it. `response_of_objects` is that of the weight with the scores of all single objects: how
    much of their spread the weight explains. `steps` of 0 are those of the task.
    """
    rows = []
    for seed in range(seeds):
        rows.append(answered(task, steps, seed, draws))
        told = ", ".join(f"{name} {value:.2f}" for name, value in rows[-1]["response"].items())
        sys.stderr.write(f"seed {seed}: hypervolume {rows[-1]['hypervolume'][-1]:.3f}; response {told}\n")
    return {"benchmark": "trade_offs", "task": task, "weights": WEIGHTS, "draws": draws, "seeds": rows}


def answered(task: str, steps: int, seed: int, draws: int) -> dict[str, Any]:
    """What one run learns."""
    chosen = (f"stop.steps={steps}",) if steps else ()
    loaded = load_task(task, [*chosen, f"seed={seed}", "device=cpu"])
    terms = terms_to_read(loaded.config)
    started = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        directory = RunDirectory(Path(folder) / "run")
        start(loaded, SilentProgress(), directory.path)
        seconds = time.perf_counter() - started[0], time.process_time() - started[1]
        with Store.open(directory.store) as store:
            scored = sorted(store.candidates(), key=lambda item: item.id)
        with trained(directory.path) as used:
            answers = {term.name: asked_for(used, terms, place, draws) for place, term in enumerate(terms)}
    return {
        "seed": seed,
        "steps": loaded.config.stop.steps,
        "objects": len(scored),
        "seconds": seconds[0],
        "cpu_seconds": seconds[1],
        "hypervolume": growth(terms, scored),
        "mean_scores": {name: [float(np.mean(part)) for part in parts] for name, parts in answers.items()},
        "response": {
            name: response([part.mean(keepdims=True) for part in parts]) for name, parts in answers.items()
        },
        "response_of_objects": {name: response(parts) for name, parts in answers.items()},
    }


def growth(terms: Sequence[Term], scored: Sequence[Candidate]) -> list[float]:
    """Hypervolume above 0 of the first eighth of the objects, of the first two eighths, and so on."""
    values = term_values(terms, scored)
    marks = [round(len(values) * part / N_MARKS) for part in range(1, N_MARKS + 1)]
    known = [values[:mark][np.isfinite(values[:mark]).all(axis=1)] for mark in marks]
    return [hypervolume(points, np.zeros(len(terms))) for points in known]


def asked_for(used: TrainedRun, terms: Sequence[Term], place: int, draws: int) -> list[Scores]:
    """Scores of one term among objects drawn at each of `WEIGHTS`; objects that have none are left out."""
    found = []
    for weight in WEIGHTS:
        rest = (1.0 - weight) / (len(terms) - 1)
        prefer = {term.name: weight if other == place else rest for other, term in enumerate(terms)}
        objects = used.draw(draws, seed=place, wish=Wish(prefer=prefer)).objects
        found.append(term_values(terms, objects)[:, place])
    return [part[np.isfinite(part)] for part in found]


def response(parts: Sequence[Scores]) -> float:
    """Rank correlation of the weight asked for with all the scores; a part for each of `WEIGHTS`."""
    weights = np.repeat(WEIGHTS, [len(part) for part in parts])
    return spearman(torch.from_numpy(weights), torch.from_numpy(np.concatenate(parts)))
