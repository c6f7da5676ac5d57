"""What the main job makes of a default run: validity, variety and reward against the untrained policy."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any

from rdkit import Chem

from fluvial.config.file import LoadedConfig, parse_config
from fluvial.queue.records import ScoredObject
from fluvial.train.launch import start, trained
from fluvial.train.run import SilentProgress

CONFIGURATION = '[env]\nkind = "fragments"\n'


def run(steps: int = 1000, n: int = 3000, seeds: int = 3, threads: int = 0) -> dict[str, Any]:
    """Train the default design run for several seeds and compare what it draws with the untrained policy."""
    results = [_one(steps, n, seed, threads) for seed in range(seeds)]
    return {
        "benchmark": "design",
        "steps": steps,
        "n": n,
        "seeds": results,
        "mean_gain": statistics.mean(result["gain"] for result in results),
        "least_gain": min(result["gain"] for result in results),
        "least_unique_share": min(result["unique_share"] for result in results),
        "least_valid_share": min(result["valid_share"] for result in results),
    }


def _one(steps: int, n: int, seed: int, threads: int) -> dict[str, float]:
    overrides = [f"seed={seed}", f"threads={threads}"]
    with tempfile.TemporaryDirectory() as folder:
        before = _draw(Path(folder) / "untrained", [*overrides, "stop.steps=1", "optimizer.lr=1e-12"], n)
        after = _draw(Path(folder) / "trained", [*overrides, f"stop.steps={steps}"], n)
    return {
        "valid_share": statistics.mean(Chem.MolFromSmiles(item.text) is not None for item in after),
        "unique_share": len({item.text for item in after}) / n,
        "mean_reward": _mean_reward(after),
        "untrained_mean_reward": _mean_reward(before),
        "gain": _mean_reward(after) / _mean_reward(before),
    }


def _draw(folder: Path, overrides: list[str], n: int) -> list[ScoredObject]:
    config = parse_config(CONFIGURATION, "the defaults", overrides)
    start(LoadedConfig(config, folder.parent, "the defaults"), SilentProgress(), folder)
    with trained(folder) as run_:
        return run_.sample(n)


def _mean_reward(objects: list[ScoredObject]) -> float:
    return statistics.mean(item.reward for item in objects if item.reward is not None)
