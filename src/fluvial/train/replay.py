"""From a checked configuration to what keeps objects to be learned from again."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from fluvial.config.run_config import RunConfig
from fluvial.core.environment import Environment
from fluvial.replay.buffer import ReplayBuffer
from fluvial.replay.columns import Layout, action_type
from fluvial.replay.disk import DiskReplay
from fluvial.replay.priority import Priority
from fluvial.replay.protocol import Replay
from fluvial.train.conditions import n_values
from fluvial.train.prior import vocabulary_hash


def build_replay(config: RunConfig, env: Environment[Any], folder: Path) -> Replay:
    """Where objects are kept to be learned from again."""
    replay = config.replay
    # What suits a trajectory is chosen among evenly drawn objects, once it is known what it is asked for.
    rule = "uniform" if replay.priority == "asked" else replay.priority
    priority = Priority(replay.top_fraction, replay.top_share, rule)
    if replay.where == "memory":
        return ReplayBuffer(replay.capacity, env.max_steps, priority, n_values(config), replay.keep == "best")
    layout = Layout(replay.capacity, env.max_steps, n_values(config), action_type(env.n_actions))
    meaning = [config.env.model_dump(mode="json", exclude={"workers"}), vocabulary_hash(env), env.n_actions]
    digest = sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()
    return DiskReplay(folder, f"{config.env.kind} {digest[:16]}", layout, priority)
