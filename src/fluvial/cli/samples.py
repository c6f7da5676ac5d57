"""What the molecules drawn from a trained run amount to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fluvial.cli.output import percent
from fluvial.queue.records import ScoredObject

if TYPE_CHECKING:
    from fluvial.config.run_config import RunConfig

FIRST_STEP = 1


@dataclass(frozen=True)
class Summary:
    """Numbers about drawn objects; nan where there is nothing to say."""

    n: int
    valid_share: float
    """Share that is a legal molecule."""
    unique_share: float
    mean_reward: float
    """Of those that have one."""
    first_mean_reward: float
    """Of the first training step."""
    best: ScoredObject | None

    def lines(self, noun: str = "molecules") -> list[str]:
        """The summary in words, with the objects called `noun`."""
        shares = f"{percent(self.valid_share)} valid, {percent(self.unique_share)} unique"
        lines = [f"{self.n} {noun} drawn: {shares}"]
        if math.isfinite(self.mean_reward):
            before = f", {self.first_mean_reward:.3f} at the first training step"
            known = before if math.isfinite(self.first_mean_reward) else ""
            lines.append(f"mean reward {self.mean_reward:.3f} now{known}")
        if self.best is not None:
            lines.append(f"best reward {self.best.reward:.4f}  {self.best.text}")
        return lines


def summarise(objects: Sequence[ScoredObject], run_folder: Path) -> Summary:
    """The summary of at least one drawn object."""
    rewards = [item.reward for item in objects if item.reward is not None]
    rewarded = [item for item in objects if item.reward is not None]
    return Summary(
        len(objects),
        sum(item.status != "invalid" for item in objects) / len(objects),
        len({item.text for item in objects}) / len(objects),
        sum(rewards) / len(rewards) if rewards else math.nan,
        first_mean_reward(run_folder),
        max(rewarded, key=lambda item: item.reward or 0.0, default=None),
    )


def first_mean_reward(run_folder: Path) -> float:
    """Mean reward of the first training step of a run, nan if it has none."""
    from fluvial.queue.store import Store
    from fluvial.train.run_directory import RunDirectory

    with Store.open(RunDirectory(run_folder).store) as store:
        series = store.metric_series(["reward_mean"])["reward_mean"]
    return next((value for step, value in series if step == FIRST_STEP), math.nan)


def text_name(config: RunConfig) -> str:
    """What the texts of the objects are called in tables."""
    return "smiles" if config.is_molecular else "object"
