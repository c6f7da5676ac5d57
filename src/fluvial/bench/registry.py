"""Benchmarks by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fluvial.bench import design, fragments, hypergrid, objectives, subtb

BENCHMARKS: dict[str, Callable[..., dict[str, Any]]] = {
    "design": design.run,
    "fragments": fragments.run,
    "hypergrid": hypergrid.run,
    "objectives": objectives.run,
    "subtb": subtb.run,
}
