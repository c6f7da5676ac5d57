"""New rewards for stored trajectories, without asking anything again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from fluvial.core.environment import Environment
from fluvial.core.errors import DataError
from fluvial.replay.protocol import Replay
from fluvial.sample.rollout import retrace

Score = Callable[[list[str]], tuple[Tensor, Tensor]]
"""Canonical texts to rewards float [B] and reward terms float [B, K]."""


def rescore(replay: Replay, env: Environment[Any], score: Score, batch: int = 4096) -> None:
    """Put the rewards and terms that `score` gives to all trajectories, as when the reward's formula changed.

    Where `score` reads stored properties, as the database of a run keeps them, no oracle is asked.

    Raises:
        DataError: an object has no reward now; trajectories before it have their new ones.
    """
    for start, actions, n_steps in replay.recorded(batch):
        texts = env.decode(retrace(env, actions, n_steps))
        reward, terms = score(texts)
        if bool(reward.isnan().any()):
            text = texts[int(reward.isnan().nonzero()[0])]
            raise DataError(f"{text} has no reward now. Score it, or keep the old formula")
        replay.rewrite(start, reward.double().numpy(), terms.double().numpy())
    replay.reload()
