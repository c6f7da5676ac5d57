"""What goes with each kind of environment: its policies, its defaults and what its texts are."""

from __future__ import annotations

from typing import Any

POLICIES = {
    "fragments": ("graph-transformer", "uniform"),
    "atoms": ("graph-transformer", "uniform"),
    "synthesis": ("mlp", "graph-transformer", "uniform"),
    "hypergrid": ("mlp", "tabular", "uniform"),
    "graph": ("graph-transformer", "uniform"),
    "sequence": ("sequence-transformer", "mlp", "uniform"),
    "set": ("mlp", "uniform"),
}
"""Policies that fit each environment; the first one is the default."""

RECORDED_SYNTHESIS = "synthesis, recorded"
"""Syntheses whose ways back are not searched."""

DEFAULTS: dict[str, dict[str, dict[str, Any]]] = {
    "fragments": {"reward": {}},
    "atoms": {"reward": {}},
    "synthesis": {"reward": {}},
    RECORDED_SYNTHESIS: {
        "reward": {},
        "algo": {"backward": {"kind": "tlm"}},
        "replay": {"paths": "stored"},
    },
    "hypergrid": {"condition": {"beta": 1.0}},
    "graph": {"condition": {"beta": 1.0}},
    "sequence": {"condition": {"beta": 1.0}},
    "set": {"condition": {"beta": 1.0}},
}
"""Defaults that depend on the kind of environment."""

MOLECULAR = ("fragments", "atoms", "synthesis")
"""Environments of molecules, whose texts are SMILES."""

OWN_REWARD = ("hypergrid", "graph")
"""Environments whose reward is chosen in [env]."""

TEXTS = {"sequence": "words", "set": "sets"}
"""Environments of other texts than SMILES, and what these are called."""

RECORDED = ("tlm", "pessimistic")
"""Backward policies that ask for the probability of ways that were gone, and for nothing else."""

MAX_TABULAR_CELLS = 1_000_000
"""Largest table of a tabular policy, in grid cells. Arbitrary: about 100 MB with Adam's averages."""
