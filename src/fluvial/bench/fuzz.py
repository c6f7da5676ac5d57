"""Whether nonsense is refused: mutated molecules, templates, configurations and messages of workers."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

from fluvial.bench import fuzzed
from fluvial.bench.mutations import CORPORA, mutated
from fluvial.rewards.function_server import function_process
from fluvial.rewards.kept_process import KeptProcess

MOST_SHOWN = 20
"""Faults of a kind that are told; arbitrary."""
FAULTS = ("crashes", "hangs", "traces")


def run(
    smiles: int = 100_000,
    templates: int = 20_000,
    configurations: int = 20_000,
    messages: int = 20_000,
    batch: int = 100,
    timeout: float = 5.0,
    seed: int = 0,
) -> dict[str, Any]:
    """Read mutated inputs in a process of its own; count what was read, refused, crashed, hung and traced.

    A hang is an input that takes more than `timeout` seconds; a trace is any error but Fluvial's own.
    Crashes, hangs and traces must be 0, and are told with their input where they are not.
    """
    generator = random.Random(seed)  # noqa: S311 - no secret
    counts = {"smiles": smiles, "template": templates, "configuration": configurations, "message": messages}
    file = Path(fuzzed.__file__)
    process = function_process(f"{file.name}:score", file.parent, timeout)
    began = time.monotonic()
    try:
        found = {kind: tried(process, kind, count, batch, generator) for kind, count in counts.items()}
    finally:
        process.close()
    totals = {name: sum(one[name] for one in found.values()) for name in FAULTS}
    return {"benchmark": "fuzz", **totals, "seconds": time.monotonic() - began, **found}


def tried(
    process: KeptProcess, kind: str, count: int, batch: int, generator: random.Random
) -> dict[str, Any]:
    """What became of `count` inputs of a kind."""
    found = dict.fromkeys(("read", "refused", *FAULTS), 0)
    faults: list[dict[str, str]] = []
    inputs = mutated(CORPORA[kind](), generator)
    for start in range(0, count, batch):
        part = {str(n): f"{kind}:{next(inputs)}" for n in range(start, min(start + batch, count))}
        for key, result in process.evaluate(part, lambda: False):
            if result.is_value:
                found["read" if result.values["value"] else "refused"] += 1
                continue
            found[fault_of(result.reason, result.may_pass)] += 1
            faults.append({"input": part[key].partition(":")[2][:2000], "reason": result.reason})
    return {"inputs": count, **found, "faults": faults[:MOST_SHOWN]}


def fault_of(reason: str, may_pass: bool) -> str:
    """Which fault a failure is: what breaks the process may pass, what raises does not."""
    if not may_pass:
        return "traces"
    return "hangs" if reason.startswith("no answer within") else "crashes"
