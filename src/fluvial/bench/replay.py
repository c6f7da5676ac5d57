"""What replay on the disk costs at millions of trajectories: draws, bytes, opening and making it again."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fluvial.bench.timing import cost_of, median_cost
from fluvial.replay.columns import Layout, action_type
from fluvial.replay.disk import COPY, DATABASE, DiskReplay
from fluvial.replay.draws import DRAWS
from fluvial.replay.priority import Priority
from fluvial.replay.rows import Rows

N_ACTIONS = 1000
ENVIRONMENT = "benchmark"
AT_ONCE = 50_000
"""Rows that are stored in one transaction to fill it."""


def run(
    rows: int = 10_000_000,
    max_steps: int = 10,
    terms: int = 0,
    batch: int = 64,
    repeats: int = 300,
    seed: int = 0,
) -> dict[str, Any]:
    """Median time of a draw with all that is read of it, and of adding a batch, in a replay of `rows`.

    Trajectories have 2 to `max_steps` of 1,000 different actions, and a reward with `terms` terms. Bytes are
    those on the disk for each trajectory, of the database and of the copy that is drawn from. The copy is
    then thrown away and made again from the database.
    """
    generator = np.random.default_rng(seed)
    layout = Layout(rows, max_steps, terms, action_type(N_ACTIONS))
    with tempfile.TemporaryDirectory(prefix="fluvial-replay-") as name:
        folder = Path(name)
        filled = cost_of(lambda: fill(folder, layout, rows, generator))
        found: dict[str, Any] = {"benchmark": "replay", "rows": rows, "row_bytes": layout.row_bytes}
        found["fill_seconds"], found["fill_cpu_seconds"] = filled.wall_seconds, filled.cpu_seconds
        found["database_bytes"] = on_disk(folder / DATABASE) / rows
        found["copy_bytes"] = on_disk(folder / COPY) / rows
        found["bytes"] = found["database_bytes"] + found["copy_bytes"]
        for kind in DRAWS:
            found |= measured(folder, layout, kind, batch, repeats)
        replay = opened(folder, layout, "uniform")
        adds = [cost_of(lambda: replay.extend(made(layout, batch, generator))) for _ in range(repeats)]
        found["add_milliseconds"] = 1000.0 * median_cost(adds).wall_seconds
        replay.close()
        (folder / COPY).unlink()
        rebuilt = cost_of(lambda: opened(folder, layout, "uniform").close())
        found["rebuild_seconds"], found["rebuild_cpu_seconds"] = rebuilt.wall_seconds, rebuilt.cpu_seconds
    return found


def fill(folder: Path, layout: Layout, rows: int, generator: np.random.Generator) -> None:
    """Store `rows` trajectories."""
    replay = opened(folder, layout, "uniform")
    for start in range(0, rows, AT_ONCE):
        replay.extend(made(layout, min(AT_ONCE, rows - start), generator))
    replay.close()


def measured(folder: Path, layout: Layout, kind: str, batch: int, repeats: int) -> dict[str, float]:
    """Time to open it until the first draw is done, and the median of further ones."""
    generator = torch.Generator().manual_seed(0)
    replay = DiskReplay(folder, ENVIRONMENT, layout, Priority(kind=kind))

    def draw() -> None:
        slots = replay.draw(batch, generator)
        replay.paths(slots)
        replay.rewards(slots)
        replay.values(slots)

    reopened = cost_of(draw)
    times = [cost_of(draw) for _ in range(repeats)]
    replay.close()
    return {
        f"{kind}_reopen_seconds": reopened.wall_seconds,
        f"{kind}_reopen_cpu_seconds": reopened.cpu_seconds,
        f"{kind}_draw_milliseconds": 1000.0 * median_cost(times).wall_seconds,
        f"{kind}_draw_cpu_milliseconds": 1000.0 * median_cost(times).cpu_seconds,
    }


def opened(folder: Path, layout: Layout, kind: str) -> DiskReplay:
    """The replay in `folder`."""
    replay = DiskReplay(folder, ENVIRONMENT, layout, Priority(kind=kind))
    replay.open()
    return replay


def made(layout: Layout, n: int, generator: np.random.Generator) -> Rows:
    """Trajectories that nobody ever made."""
    n_steps = generator.integers(2, layout.max_steps + 1, n)
    actions = generator.integers(0, N_ACTIONS, (n, layout.max_steps)).astype(layout.action)
    actions[np.arange(layout.max_steps) >= n_steps[:, None]] = 0
    reward = generator.random(n)
    return Rows(
        generator.integers(-(2**63), 2**63, n),
        reward,
        np.repeat(reward[:, None], layout.n_terms, axis=1),
        generator.integers(0, 100_000, n),
        actions,
        n_steps,
    )


def on_disk(path: Path) -> int:
    """Bytes that a file takes on the disk, holes left out."""
    return 512 * path.stat().st_blocks
