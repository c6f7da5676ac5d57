"""Whether faulty objects are told from good ones, and what that costs."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from fluvial.bench import faulty
from fluvial.queue.jobs import Oracle, Result, Retries
from fluvial.queue.memory_queue import MemoryQueue
from fluvial.queue.worker import WorkerSettings, work
from fluvial.rewards.calls import call_function
from fluvial.rewards.function_server import function_process
from fluvial.rewards.kept_process import KeptProcess

FOR_GOOD = ("raise", "nan", "infinite", "none", "text", "bool", "list", "leave", "recursion")
"""Faults that are told for good, and those after which the process is gone or killed."""
BREAKING = ("crash", "quit", "hang")
REPEATS = 7


def run(
    items: int = 10000,
    share: float = 0.1,
    poison: int = 20,
    among: int = 5000,
    batch: int = 64,
    timeout: float = 1.0,
    seed: int = 0,
) -> dict[str, Any]:
    """Verdicts on objects with twelve kinds of fault, dead letters of some that crash, and cost of each.

    `items` objects, a `share` of them faulty, are evaluated in batches; then a worker answers `among` others,
    of which `poison` crash the interpreter, from a queue.
    """
    generator = random.Random(seed)  # noqa: S311 - no secret
    process = function_process(f"{Path(faulty.__file__).name}:score", Path(faulty.__file__).parent, timeout)
    try:
        return {
            "benchmark": "faults",
            **verdicts(process, items, share, batch, generator),
            **poisoned(process, poison, among, batch, generator),
            "overhead_microseconds": overhead_microseconds(process, batch),
        }
    finally:
        process.close()


def verdicts(
    process: KeptProcess, items: int, share: float, batch: int, generator: random.Random
) -> dict[str, Any]:
    """How many verdicts are wrong, by kind of fault."""
    kinds = (*FOR_GOOD, *BREAKING)
    texts = [
        f"{generator.choice(kinds)}:{n}" if generator.random() < share else f"value:{n % 97}:{n}"
        for n in range(items)
    ]
    wrong: Counter[str] = Counter()
    began = time.monotonic()
    for start in range(0, items, batch):
        part = {str(n): texts[n] for n in range(start, min(start + batch, items))}
        found = dict(process.evaluate(part, lambda: False))
        wrong.update(
            text.partition(":")[0] for key, text in part.items() if not is_right(text, found.get(key))
        )
    return {
        "items": items,
        "faulty": sum(not text.startswith("value") for text in texts),
        "kinds": len(kinds),
        "wrong": wrong.total(),
        "wrong_by_kind": dict(wrong),
        "verdict_seconds": time.monotonic() - began,
    }


def is_right(text: str, result: Result | None) -> bool:
    """Whether a verdict is the right one."""
    kind, _, rest = text.partition(":")
    if result is None:
        return False
    if kind == "value":
        return result.values == {"value": float(rest.partition(":")[0])}
    return not result.is_value and result.may_pass == (kind in BREAKING)


def poisoned(
    process: KeptProcess, poison: int, among: int, batch: int, generator: random.Random
) -> dict[str, Any]:
    """Dead letters of a queue in which some objects crash the interpreter."""
    bad = set(generator.sample(range(among), poison))
    texts = [f"crash:{n}" if n in bad else f"value:1:{n}" for n in range(among)]
    queue, oracle = MemoryQueue(Retries(backoff_seconds=0.0)), Oracle("faulty")
    queue.submit(oracle, texts)
    settings = WorkerSettings(oracle.fingerprint, batch, idle_exit_seconds=0.0)
    work(queue, process, "worker", settings, threading.Event())
    dead = [end.text for end in queue.failures(among)]
    return {
        "poisonous": poison,
        "among": among,
        "dead": len(dead),
        "innocent_dead": sum(not text.startswith("crash") for text in dead),
        "answered": queue.counts().done,
    }


def overhead_microseconds(process: KeptProcess, batch: int) -> float:
    """Time of a good object in the process, beyond that of calling the function here."""
    texts = [f"value:1:{n}" for n in range(batch)]
    part = {str(n): text for n, text in enumerate(texts)}
    guarded = best(lambda: list(process.evaluate(part, lambda: False)))
    called = best(lambda: call_function(faulty.score, texts))
    return 1e6 * (guarded - called) / batch


def best(function: Any) -> float:
    """Seconds of the fastest of some calls."""
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - began)
    return min(seconds)
