"""How fast environments are by themselves: rollouts by the uniform policy, without a network."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from fluvial.bench.timing import cost_of, matrix_gflops, median_cost
from fluvial.chem.choices import choose_name
from fluvial.chem.vocabulary import load_vocabulary
from fluvial.core.environment import Environment
from fluvial.core.types import Trajectories
from fluvial.envs.atoms.environment import Atoms
from fluvial.envs.fragments.environment import Fragments
from fluvial.envs.graphs.environment import Graphs
from fluvial.envs.hypergrid import Hypergrid
from fluvial.envs.sequences.environment import Sequences
from fluvial.envs.sets import Sets
from fluvial.policy.uniform import UniformPolicy
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import rollout

DRUGS = ("C", "N", "O", "F", "P", "S", "Cl", "Br", "I")
"""Elements of drugs."""

ENVIRONMENTS: dict[str, Callable[[], Environment[Any]]] = {
    "hypergrid": lambda: Hypergrid(4, 8),
    "sets": lambda: Sets(40, exact_size=20),
    "sequences": lambda: Sequences("ACGT", 60, 60),
    "sequences_both_ends": lambda: Sequences("ACGT", 60, 60, "both_ends"),
    "sequences_insert": lambda: Sequences("ACGT", 20, 20, "insert"),
    "graphs": lambda: Graphs(node_types=2, max_nodes=9, min_nodes=9),
    "graphs_attributed": lambda: Graphs(
        node_types=3, edge_types=2, max_nodes=9, min_nodes=9, max_degree=4, node_attributes=(2,)
    ),
    "trees": lambda: Graphs(node_types=2, max_nodes=20, min_nodes=20, allow_cycles=False),
    "fragments": lambda: Fragments(load_vocabulary("default"), 9, min_fragments=9),
    "atoms": lambda: Atoms(min_atoms=9, max_atoms=9),
    "atoms_charged": lambda: Atoms(min_atoms=9, max_atoms=9, charges=(0, 1, -1)),
    "atoms_38": lambda: Atoms(elements=DRUGS, min_atoms=38, max_atoms=38),
    "atoms_20_rings": lambda: Atoms(elements=DRUGS, min_atoms=20, max_atoms=20, max_ring_size=7),
}
"""What is measured, by name: objects as large as the environment allows, so that each rollout is long."""


def run(
    environments: str = "all", batches: str = "64,256,1024,4096", repeats: int = 5, threads: int = 1
) -> dict[str, Any]:
    """Transitions per second of each environment with the uniform policy, for batches of growing size.

    A rollout counts with all that sampling does: masks both ways, draws, steps, symmetry. `growth` is the
    power with which the time grew since the batch before: 1 is linear, less means that the batch before was
    too small to keep the machine busy. Times are those of the processor, so other programs hardly count.
    """
    torch.set_num_threads(threads)
    names = list(ENVIRONMENTS) if environments == "all" else environments.split(",")
    sizes = [int(size) for size in str(batches).split(",")]
    rows = []
    for name in dict.fromkeys(choose_name("environment", name, ENVIRONMENTS) for name in names):
        for row in measured(ENVIRONMENTS[name](), sizes, repeats):
            rows.append({"environment": name, **row})
            sys.stderr.write(f"{line(rows[-1])}\n")
    return {
        "benchmark": "environments",
        "threads": torch.get_num_threads(),
        "matrix_gflops": matrix_gflops(torch.device("cpu")),
        "rows": rows,
    }


def measured(env: Environment[Any], batches: list[int], repeats: int) -> Iterator[dict[str, Any]]:
    """A row for each size of the batch: median time of `repeats` rollouts after one that warms up."""
    policy, generator = UniformPolicy(env), torch.Generator().manual_seed(0)
    before: tuple[int, float] | None = None
    for batch in batches:
        condition = Conditions().fixed(batch, 1.0)
        made: list[Trajectories[Any]] = []

        def sampled(condition: Any = condition, made: list[Any] = made) -> None:
            made.append(rollout(env, policy, condition, generator))

        sampled()
        cost = median_cost([cost_of(sampled) for _ in range(repeats)])
        n_transitions = sum(int(trajectories.mask.sum()) for trajectories in made) / len(made)
        yield {
            "batch": batch,
            "transitions": n_transitions,
            "cpu_seconds": cost.cpu_seconds,
            "transitions_per_second": n_transitions / cost.cpu_seconds,
            "growth": None if before is None else _power(before, (batch, cost.cpu_seconds)),
        }
        before = batch, cost.cpu_seconds


def _power(before: tuple[int, float], after: tuple[int, float]) -> float:
    """b where seconds grew as batch^b."""
    return math.log(after[1] / before[1]) / math.log(after[0] / before[0])


def line(row: Mapping[str, Any]) -> str:
    """A row for people to read."""
    growth = "" if row["growth"] is None else f"  time grew as batch^{row['growth']:.2f}"
    rate = f"{row['transitions_per_second']:12,.0f} transitions/s"
    return f"{row['environment']:22}batch {row['batch']:6}{rate}{growth}"
