"""Between a reward function and the run's store: nothing is scored twice, and what is slow is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from fluvial.core.errors import FailedRunError
from fluvial.core.reward_batch import Outcome, RewardBatch
from fluvial.queue.records import PENDING, UNANSWERED, ScoredObject
from fluvial.queue.store import Store
from fluvial.queue.summary import ALIVE_SECONDS
from fluvial.rewards.queued import QueuedTerms

LOOK_SECONDS = 0.2
"""Longest time after which a wait sees that it is to end; arbitrary."""

STATUS_OF_OUTCOME = {
    Outcome.VALUE: "ok",
    Outcome.FILTERED: "filtered",
    Outcome.INVALID: "invalid",
    Outcome.FAILED_FOR_NOW: UNANSWERED,
    Outcome.FAILED: "failed",
    Outcome.PENDING: PENDING,
}


class RewardFunction(Protocol):
    """From canonical texts to rewards."""

    def __call__(self, texts: Sequence[str], /) -> RewardBatch:
        """Rewards of the objects, in order."""
        ...


Scoring = Callable[[Sequence[str]], list[ScoredObject]]
"""From canonical texts to what is known of each, in order; PENDING is what will be known later."""


class Answers(Protocol):
    """What becomes of objects that were PENDING when they were scored."""

    def still_open(self) -> Collection[str]:
        """Those without an answer so far."""
        ...

    def is_spent(self) -> bool:
        """Whether nothing new can be asked about any more."""
        ...

    def wait(self) -> None:
        """Come back as soon as there is another answer.

        Raises:
            StopWaitingError: the run is to end.
            FailedRunError: none came for long.
        """
        ...

    def delays(self) -> dict[str, float]:
        """How late answers are, in seconds of this process, since the last call.

        `latency_seconds` and `latency_seconds_max`, from question to answer, where any came, and
        `queue_age_seconds`, of the oldest question without one, where any is open.
        """
        ...


class AtOnce:
    """The answers of a reward that is never PENDING."""

    def still_open(self) -> Collection[str]:
        """Nothing."""
        return ()

    def is_spent(self) -> bool:
        """Never."""
        return False

    def wait(self) -> None:
        """Nothing will come.

        Raises:
            FailedRunError: always.
        """
        raise FailedRunError("objects are waited for that nobody was asked about; resume the run")

    def delays(self) -> dict[str, float]:
        """Nothing."""
        return {}


class StopWaitingError(Exception):
    """A wait for answers ended because the run is to end."""


@dataclass
class QueueAnswers:
    """The answers of queued terms, which are waited for with patience, and without using the processor."""

    terms: QueuedTerms
    patience_seconds: float
    """Longest wait without any answer."""
    place: str
    """Of the queue, for messages."""
    folder: str
    """Of the run, for messages."""
    is_stopping: Callable[[], bool] = lambda: False
    """Whether the run is to end."""
    tend: Callable[[], None] = lambda: None
    """Sees to workers of this run; called again and again."""

    def still_open(self) -> Collection[str]:
        """See `Answers.still_open`."""
        return self.terms.still_open()

    def is_spent(self) -> bool:
        """See `Answers.is_spent`."""
        return self.terms.is_spent

    def wait(self) -> None:
        """See `Answers.wait`."""
        started = time.monotonic()
        while not self.terms.wait(LOOK_SECONDS):
            self.tend()
            if self.is_stopping():
                raise StopWaitingError
            if time.monotonic() - started > self.patience_seconds:
                raise FailedRunError(self._missing())

    def delays(self) -> dict[str, float]:
        """See `Answers.delays`."""
        return self.terms.delays()

    def _missing(self) -> str:
        queue = self.terms.queue
        names = ", ".join(oracle.name for oracle in self.terms.oracles.values())
        since = queue.now() - ALIVE_SECONDS
        n_alive = sum(one.state != "stopped" and one.seen_at > since for one in queue.workers())
        switched = " and ".join(name for name, is_on in queue.controls().items() if is_on)
        remedy = f"start workers with `fluvial worker {self.folder}`"
        if switched:
            remedy = f"the queue is {switched}; open it with `fluvial queue resume {self.folder}`"
        return (
            f"no answer for {self.patience_seconds / 60.0:g} minutes: {len(self.still_open())} objects wait"
            f" for {names} in {self.place}, and {n_alive} workers are alive there. Nothing is lost: {remedy},"
            f" then continue with `fluvial resume {self.folder}`"
        )


def patient(score: Scoring, answers: Answers) -> Scoring:
    """A scoring that comes back when everything is answered."""

    def settled(texts: Sequence[str]) -> list[ScoredObject]:
        found = dict(zip(texts, score(texts), strict=True))
        while open_ := [text for text, item in found.items() if item.status == PENDING]:
            answers.wait()
            found.update(zip(open_, score(open_), strict=True))
        return [found[text] for text in texts]

    return settled


def forbearing(score: Scoring) -> Scoring:
    """A patient scoring that leaves objects without a reward once no answer came for long."""
    given_up: list[str] = []

    def settled(texts: Sequence[str]) -> list[ScoredObject]:
        try:
            if not given_up:
                return score(texts)
        except FailedRunError as error:
            given_up.append(str(error))
        return [ScoredObject(text, None, UNANSWERED, given_up[0]) for text in texts]

    return settled


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
