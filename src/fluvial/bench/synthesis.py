"""What a training step on syntheses costs, and what it is spent on."""

from __future__ import annotations

import resource
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import torch

from fluvial.bench.catalogue import catalogue
from fluvial.bench.timing import matrix_gflops
from fluvial.chem.molecules import parse_smiles
from fluvial.chem.properties import PROPERTIES
from fluvial.chem.synthesis.library import make_library
from fluvial.chem.synthesis.library_file import read_library
from fluvial.chem.synthesis.templates import load_templates
from fluvial.config.file import parse_config
from fluvial.config.run_config import RunConfig
from fluvial.envs.synthesis.environment import Syntheses
from fluvial.queue.records import ScoredObject
from fluvial.train.conditions import build_conditions
from fluvial.train.learner import Learner, LearningSettings, Problem
from fluvial.train.rules import build_algorithm, build_learner, build_settings
from fluvial.train.step import train_step

CONFIG = """
[env]
kind = "synthesis"
parents = "recorded"
[algo]
batch = 64
backward = "tlm"
[replay]
fraction = 0.0
[condition]
beta = 8.0
"""
ROWS: dict[str, tuple[str, ...]] = {
    "graph-transformer 4 x 128": (
        "policy.kind=graph-transformer",
        "policy.width=128",
        "policy.layers=4",
    ),
    "graph-transformer 3 x 64": (
        "policy.kind=graph-transformer",
        "policy.width=64",
        "policy.layers=3",
    ),
    "fingerprints": ("policy.kind=mlp",),
}
"""The policies, the default one last."""


def run(  # noqa: PLR0913 - the options of a command
    blocks: int = 10_000,
    templates: str = "hartenfeller-button",
    max_reactions: int = 3,
    batch: int = 64,
    steps: int = 15,
    warmup: int = 5,
    threads: int = 1,
    policy: str = "",
    parents: str = "recorded",
    library: str = "",
    choice: str = "",
    workers: int = 0,
) -> dict[str, Any]:
    """CPU seconds of a training step with drug-likeness as the reward, for each policy, and their split.

    `masks` is which templates fit new molecules and what is offered, `reactions` running them, `network` the
    policy forward and backward with the optimiser, `reward` the property. The floor is their sum: what is
    left is bookkeeping. No replay; `parents = searched` adds the search for the true ways back.
    `library = FILE` takes a prepared file's blocks and templates, `choice = clusters` or `all` is how one of
    the blocks is chosen. `peak_bytes` is the most memory that the process ever had. With `workers = N`
    processes run reactions and searches: their CPU seconds are `workers_cpu_s_per_step`, all others are those
    of this process alone, and `wall_s_per_step` is what a user waits for.
    """
    torch.set_num_threads(threads)
    started = perf_counter()
    if library:
        opened = read_library(library)
        blocks, templates = len(opened), f"{len(opened.templates)} of {library}"
    else:
        opened = make_library(catalogue(blocks), load_templates(templates))
    ready = perf_counter()
    chosen = [name for name in ROWS if policy in name]
    rows = []
    for name in chosen:
        env = Syntheses(opened, max_reactions, parents=parents, workers=workers)
        back = () if parents == "recorded" else ("algo.backward=uniform", "env.parents=searched")
        how = (f"policy.blocks={choice}",) if choice else ()
        options = [*ROWS[name], f"algo.batch={batch}", *back, *how, "device=cpu"]
        try:
            config = parse_config(CONFIG, "benchmark", options)
            rows.append({"policy": name, **measured(env, config, steps, warmup)})
        finally:
            env.close()
        sys.stderr.write(f"{name}: {rows[-1]['cpu_s_per_step']:.3f} CPU-s per step\n")
    return {
        "benchmark": "synthesis",
        "blocks": blocks,
        "templates": templates,
        "file_bytes": Path(library).stat().st_size if library else None,
        "open_s": ready - started if library else None,
        "peak_bytes": peak_bytes(),
        "max_reactions": max_reactions,
        "batch": batch,
        "parents": parents,
        "threads": threads,
        "workers": workers,
        "matrix_gflops": matrix_gflops(torch.device("cpu")),
        "rows": rows,
        **rows[-1],
    }


def measured(env: Syntheses, config: RunConfig, steps: int, warmup: int) -> dict[str, Any]:
    """The median step of a run, and what its parts took."""
    torch.manual_seed(config.seed)
    watch = Stopwatch()
    device = torch.device("cpu")
    started = perf_counter()
    algorithm = build_algorithm(config, env, Path(), device)
    learner = build_learner(config, env, algorithm, device)
    problem = Problem(env, watch.around("reward", drug_likeness), build_conditions(config))
    settings = build_settings(config, algorithm)
    built = perf_counter()
    with watched(watch, env, learner):
        costs = [_step(watch, env, problem, learner, settings) for _ in range(warmup + steps)][warmup:]
    parts = ("masks", "reactions", "network", "reward")
    split = {
        part: statistics.median(cost.get(part, 0.0) for cost in costs)
        for part in (*parts, "total", "wall", "workers")
    }
    floor = statistics.median(sum(cost.get(part, 0.0) for part in parts) for cost in costs)
    return {
        "parameters": sum(parameter.numel() for parameter in learner.model.parameters()),
        "build_s": built - started,
        "cpu_s_per_step": split["total"],
        "wall_s_per_step": split["wall"],
        "workers_cpu_s_per_step": split["workers"],
        **{f"{part}_cpu_s": split[part] for part in parts},
        "floor_cpu_s": floor,
        "ratio": split["total"] / floor,
    }


def peak_bytes() -> int:
    """The most memory that this process ever had; on macOS the system counts bytes, elsewhere kilobytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def drug_likeness(texts: Sequence[str]) -> list[ScoredObject]:
    """QED of molecules, nothing for no molecule; as the reward of a run computes it."""
    qed = PROPERTIES["qed"].function
    return [ScoredObject(text, float(qed(parse_smiles(text))) if text else None) for text in texts]


def _step(
    watch: Stopwatch, env: Syntheses, problem: Problem, learner: Learner, settings: LearningSettings
) -> dict[str, float]:
    watch.seconds.clear()
    started, began, elsewhere = process_time(), perf_counter(), env.ahead.cpu_seconds
    train_step(problem, learner, settings)
    return {
        **watch.seconds,
        "total": process_time() - started,
        "wall": perf_counter() - began,
        "workers": env.ahead.cpu_seconds - elsewhere,
    }


@dataclass
class Stopwatch:
    """CPU seconds by name; what runs within another counts for itself alone."""

    seconds: dict[str, float] = field(default_factory=dict)
    clock: Callable[[], float] = process_time
    _running: list[str] = field(default_factory=list)
    _since: float = 0.0

    def begin(self, name: str) -> None:
        """From here on it is this one's time."""
        self._charge()
        self._running.append(name)

    def end(self) -> None:
        """And from here on that of the one before."""
        self._charge()
        self._running.pop()

    def _charge(self) -> None:
        now = self.clock()
        if self._running:
            name = self._running[-1]
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with its time measured."""

        @wraps(function)
        def timed(*arguments: Any, **keywords: Any) -> Any:
            self.begin(name)
            try:
                return function(*arguments, **keywords)
            finally:
                self.end()

        return timed


@contextmanager
def watched(watch: Stopwatch, env: Syntheses, learner: Learner) -> Iterator[None]:
    """Measure the parts of an environment and of a learner within the block."""
    molecules, policy = env.molecules, learner.model.policy
    parts = [
        (molecules, "products", "reactions"),
        (molecules.chemistry, "runs_alone", "reactions"),
        (env, "observe", "masks"),
        (env, "fingerprints", "network"),
        (env, "graphs", "network"),
        (policy, "forward", "network"),
        (learner.optimizer, "step", "network"),
    ]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in parts]
    for owner, name, label in parts:
        setattr(owner, name, watch.around(label, getattr(owner, name)))
    tensor_backward = torch.Tensor.backward
    torch.Tensor.backward = watch.around("network", tensor_backward)  # type: ignore[method-assign]
    try:
        yield
    finally:
        torch.Tensor.backward = tensor_backward  # type: ignore[method-assign]
        for owner, name, function in before:
            setattr(owner, name, function)
