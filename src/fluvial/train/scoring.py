"""Between a reward function and the run's store: nothing is scored twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from fluvial.core.reward_batch import Outcome, RewardBatch
from fluvial.queue.records import UNANSWERED, ScoredObject
from fluvial.queue.store import Store

STATUS_OF_OUTCOME = {
    Outcome.VALUE: "ok",
    Outcome.FILTERED: "filtered",
    Outcome.INVALID: "invalid",
    Outcome.FAILED_FOR_NOW: UNANSWERED,
    Outcome.FAILED: "failed",
}


class RewardFunction(Protocol):
    """From canonical texts to rewards."""

    def __call__(self, texts: Sequence[str], /) -> RewardBatch:
        """Rewards of the objects, in order."""
        ...


Scoring = Callable[[Sequence[str]], list[ScoredObject]]
"""From canonical texts to what is known of each, in order."""


def scored_objects(reward: RewardFunction, texts: Sequence[str]) -> list[ScoredObject]:
    """What the reward says of each text, in order."""
    batch = reward(texts)
    return [_scored(batch, row, text) for row, text in enumerate(texts)]


def remembering(reward: RewardFunction, store: Store) -> Scoring:
    """A scoring that asks the store first and the reward only about objects it does not hold."""

    def score(texts: Sequence[str]) -> list[ScoredObject]:
        known = store.known(texts)
        unknown = [text for text in dict.fromkeys(texts) if text not in known]
        if unknown:
            known.update({scored.text: scored for scored in scored_objects(reward, unknown)})
        return [known[text] for text in texts]

    return score


def _scored(batch: RewardBatch, row: int, text: str) -> ScoredObject:
    status = STATUS_OF_OUTCOME[Outcome(int(batch.outcome[row]))]
    has_reward = status in ("ok", "filtered")
    return ScoredObject(
        text,
        float(batch.reward[row]) if has_reward else None,
        status,
        batch.info[row],
        {name: float(values[row]) for name, values in batch.raw.items()},
    )
