"""Benchmarks by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fluvial.bench import (
    crashes,
    delay,
    design,
    docking,
    environments,
    faults,
    fragments,
    fuzz,
    hypergrid,
    matching,
    mxmnet,
    objectives,
    queue,
    replay,
    screening,
    seh,
    sequences,
    subtb,
    synthesis,
    trade_offs,
)

BENCHMARKS: dict[str, Callable[..., dict[str, Any]]] = {
    "crashes": crashes.run,
    "delay": delay.run,
    "design": design.run,
    "docking": docking.run,
    "environments": environments.run,
    "faults": faults.run,
    "fragments": fragments.run,
    "fuzz": fuzz.run,
    "hypergrid": hypergrid.run,
    "matching": matching.run,
    "mxmnet": mxmnet.run,
    "objectives": objectives.run,
    "queue": queue.run,
    "replay": replay.run,
    "screening": screening.run,
    "seh": seh.run,
    "sequences": sequences.run,
    "subtb": subtb.run,
    "synthesis": synthesis.run,
    "trade_offs": trade_offs.run,
}
