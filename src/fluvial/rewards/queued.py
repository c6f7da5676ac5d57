"""Terms of a reward that are asked for in a queue and answered by workers, now or later."""

from __future__ import annotations

import math
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
        budgets: fingerprint of an oracle to the objects that it may be asked about, in its queue and over all
            times; None for no bound.
    """

    def __init__(
        self,
        terms: Sequence[Term],
        oracles: Mapping[str, Oracle],
        newest_first: bool = False,
        budgets: Mapping[str, int] | None = None,
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
        self._budgets = dict(budgets or {})
        self._left: dict[str, int] = {}
        self._given_up: dict[str, str] = {}

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
        self._count_calls()

    def _count_calls(self) -> None:
        self._left = {key: most - self.queue.counts(key).submitted for key, most in self._budgets.items()}

    @property
    def is_spent(self) -> bool:
        """Whether an oracle can be asked about no further object, so that nothing new can be completed."""
        return any(left <= 0 for left in self._left.values())

    def __call__(self, texts: Sequence[str], measure: Measure) -> dict[str, Scored]:
        """What is known of each of `texts`, the rest of them PENDING; nothing is waited for."""
        new = [text for text in texts if text not in self._held]
        found = dict(zip(new, measure(new), strict=True)) if new else {}
        self._ask({text: one for text, one in found.items() if one.outcome == Outcome.VALUE})
        self.look()
        for text in [text for text in texts if text in self._held]:
            if self._is_open(text):
                found[text] = Scored(Outcome.PENDING, raw=self._held[text].raw)
                continue
            other, answers, asked_at = self._held.pop(text), self._answers.pop(text), self._asked_at.pop(text)
            if text in self._given_up:
                found[text] = Scored(Outcome.FAILED_FOR_NOW, self._given_up.pop(text), raw=other.raw)
            else:
                found[text] = self._completed(other, answers)
                self._latencies.append(time.monotonic() - asked_at)
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
            # What another oracle gave up meanwhile is not paid for.
            unsent = [text for text in self._unsent[fingerprint] if text in self._held]
            self._unsent[fingerprint] = [text for text in unsent if text not in self._given_up]
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
        # Where least is left comes first, so that no call is paid for an object that another one refuses.
        for fingerprint in sorted(self.oracles, key=lambda key: self._left.get(key, math.inf)):
            self._submit(fingerprint, [text for text in measured if text not in self._given_up])

    def _submit(self, fingerprint: str, texts: Sequence[str]) -> None:
        """Ask about texts; what a draining queue refuses is asked again at the next look.

        What is beyond the budget is given up.
        """
        if not texts:
            return
        rank = time.time() if self._newest_first else 0.0
        oracle, budget = self.oracles[fingerprint], self._budgets.get(fingerprint)
        told = self.queue.submit(oracle, texts, [rank] * len(texts), most_submitted=budget)
        refused = set(told.refused)
        if budget is not None:
            self._left[fingerprint] -= told.new
            if refused:
                # Another run may have asked, too.
                self._count_calls()
            if self._left[fingerprint] <= 0:
                reason = f"the {budget} calls of {oracle.name} are spent; raise max_calls to ask for more"
                self._given_up |= dict.fromkeys(refused, reason)
                refused = set()
        before = [text for text in self._unsent[fingerprint] if text not in texts]
        self._unsent[fingerprint] = [*before, *(text for text in texts if text in refused)]

    def _is_open(self, text: str) -> bool:
        return text not in self._given_up and len(self._answers[text]) < len(self.oracles)

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
