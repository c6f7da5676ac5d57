"""Benchmarks by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fluvial.bench import (
    design,
    environments,
    fragments,
    hypergrid,
    matching,
    objectives,
    seh,
    sequences,
    subtb,
)

BENCHMARKS: dict[str, Callable[..., dict[str, Any]]] = {
    "design": design.run,
    "environments": environments.run,
    "fragments": fragments.run,
    "hypergrid": hypergrid.run,
    "matching": matching.run,
    "objectives": objectives.run,
    "seh": seh.run,
    "sequences": sequences.run,
    "subtb": subtb.run,
}
