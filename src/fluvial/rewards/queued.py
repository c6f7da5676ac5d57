"""Terms of a reward that are asked for in a queue and answered by workers, now or later."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from fluvial.core.reward_batch import Outcome
from fluvial.queue.jobs import DONE, FAILED, Answer, Oracle
from fluvial.queue.protocol import Queue
from fluvial.rewards.answers import VALUE
from fluvial.rewards.calls import Failure, Row
from fluvial.rewards.scoring import Scored, with_terms
from fluvial.rewards.terms import Term

SHORTEST_NAP_SECONDS, LONGEST_NAP_SECONDS = 0.005, 0.5
"""Between two looks at the queue while waiting; arbitrary."""

Measure = Callable[[Sequence[str]], list[Scored]]
"""What the other terms and the filters find out about each text at once."""


class QueuedTerms:
    """The terms that a queue answers.

    Only what passes the filters and has a value of every other term is asked about, each object once.

    Args:
        terms: at least one.
        oracles: name of each of `terms` to what is asked; terms of equal oracles share its answers.
        newest_first: whether what was asked last is answered first.
    """

    def __init__(
        self, terms: Sequence[Term], oracles: Mapping[str, Oracle], newest_first: bool = False
    ) -> None:
        self.terms = tuple(terms)
        self._fingerprint = {term.name: oracles[term.name].fingerprint for term in terms}
        self.oracles = {oracles[term.name].fingerprint: oracles[term.name] for term in terms}
        self._newest_first = newest_first
        self._queue: Queue | None = None
        self._held: dict[str, Scored] = {}
        self._answers: dict[str, dict[str, Answer]] = {}
        self._unsent: dict[str, list[str]] = {key: [] for key in self.oracles}
        self._asked_at: dict[str, float] = {}
        self._latencies: list[float] = []

    @property
    def names(self) -> frozenset[str]:
        """Of the terms."""
        return frozenset(self._fingerprint)

    @property
    def queue(self) -> Queue:
        """Where answers come from.

        Raises:
            RuntimeError: `connect` was not called.
        """
        if self._queue is None:
            raise RuntimeError("queued terms have no queue yet; call connect first")
        return self._queue

    def connect(self, queue: Queue) -> None:
        """Ask in `queue` from now on."""
        self._queue = queue

    def __call__(self, texts: Sequence[str], measure: Measure) -> dict[str, Scored]:
        """What is known of each of `texts`, the rest of them PENDING; nothing is waited for."""
        new = [text for text in texts if text not in self._held]
        found = dict(zip(new, measure(new), strict=True)) if new else {}
        self._ask({text: one for text, one in found.items() if one.outcome == Outcome.VALUE})
        self.look()
        for text in [text for text in texts if text in self._held]:
            if self._is_open(text):
                found[text] = Scored(Outcome.PENDING, raw=self._held[text].raw)
            else:
                found[text] = self._completed(self._held.pop(text), self._answers.pop(text))
                self._latencies.append(time.monotonic() - self._asked_at.pop(text))
        return found

    def still_open(self) -> set[str]:
        """Objects that were asked about and have no answer."""
        self.look()
        return {text for text in self._held if self._is_open(text)}

    def wait(self, seconds: float) -> bool:
        """Wait until there is another answer, but no longer than `seconds`; whether there is one."""
        end, nap = time.monotonic() + seconds, SHORTEST_NAP_SECONDS
        while not self.look():
            left = end - time.monotonic()
            if left <= 0.0:
                return False
            time.sleep(min(nap, left))
            nap = min(2.0 * nap, LONGEST_NAP_SECONDS)
        return True

    def delays(self) -> dict[str, float]:
        """Seconds from question to answer of what was completed since the last call, and of the oldest
        question without one."""
        took, self._latencies = self._latencies, []
        found = {"latency_seconds": sum(took) / len(took), "latency_seconds_max": max(took)} if took else {}
        open_since = [self._asked_at[text] for text in self._held if self._is_open(text)]
        if open_since:
            found["queue_age_seconds"] = time.monotonic() - min(open_since)
        return found

    def look(self) -> bool:
        """Take in what has been answered; whether that completes an object."""
        completed = False
        for fingerprint in self.oracles:
            self._submit(fingerprint, self._unsent[fingerprint])
            missing = [text for text in self._held if fingerprint not in self._answers[text]]
            for text, answer in self.queue.known(fingerprint, missing).items() if missing else ():
                self._answers[text][fingerprint] = answer
                completed |= not self._is_open(text)
        return completed

    def _ask(self, measured: Mapping[str, Scored]) -> None:
        if not measured:
            return
        self._held.update(measured)
        self._asked_at.update(dict.fromkeys(measured, time.monotonic()))
        self._answers.update({text: {} for text in measured})
        for fingerprint in self.oracles:
            self._submit(fingerprint, list(measured))

    def _submit(self, fingerprint: str, texts: Sequence[str]) -> None:
        """Ask about texts; what a draining queue refuses is asked again at the next look."""
        if not texts:
            return
        rank = time.time() if self._newest_first else 0.0
        told = self.queue.submit(self.oracles[fingerprint], texts, [rank] * len(texts))
        refused = set(told.refused)
        before = [text for text in self._unsent[fingerprint] if text not in texts]
        self._unsent[fingerprint] = [*before, *(text for text in texts if text in refused)]

    def _is_open(self, text: str) -> bool:
        return len(self._answers[text]) < len(self.oracles)

    def _completed(self, other: Scored, answers: Mapping[str, Answer]) -> Scored:
        """One record of what the other terms and the answers say; values are in the order of the latter."""
        rows = [row_of(answers[self._fingerprint[term.name]]) for term in self.terms]
        mine = with_terms(self.terms, rows, {})
        return Scored(mine.outcome, mine.info, (*other.values, *mine.values), {**mine.raw, **other.raw})


def row_of(answer: Answer) -> Row:
    """What a function would have returned; a dead job may be answered yet, so that failure may pass."""
    if answer.state != DONE:
        return Failure(answer.reason, may_pass=answer.state != FAILED)
    if set(answer.values) == {VALUE}:
        value = answer.values[VALUE]
        return Failure(answer.reason or "there is no value") if value is None else value
    missing = Failure(answer.reason or "there is no value")
    return {name: missing if value is None else value for name, value in answer.values.items()}
