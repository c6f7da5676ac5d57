"""Evaluation that may break at any object: finds the one at fault and saves the others."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Protocol

from fluvial.queue.jobs import Result
from fluvial.queue.worker import ShouldStop

Part = tuple[dict[str, str], bool]


class BreakdownError(Exception):
    """An evaluation ended before all objects had an answer."""

    def __init__(self, reason: str, culprit: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.culprit = culprit


class Asked(Protocol):
    """Something that answers a batch, or breaks."""

    names_culprits: bool
    """Whether it can tell, asked for one object after the other, which one it broke at."""

    def ask(
        self, texts: Mapping[str, str], one_by_one: bool, should_stop: ShouldStop
    ) -> Iterator[tuple[str, Result]]:
        """Results as they come.

        Raises:
            BreakdownError: it broke.
        """
        ...


def guarded(asked: Asked, texts: Mapping[str, str], should_stop: ShouldStop) -> Iterator[tuple[str, Result]]:
    """A result for each object, the first one if it gets several; fewer only after `should_stop()`.

    What is not answered when a batch breaks is asked for again: one object after the other where the culprit
    should then get known, else, or where it does not, in halves. An object that breaks an evaluation alone
    has failed for now.
    """
    parts: deque[Part] = deque([(dict(texts), False)])
    while parts and not should_stop():
        part, one_by_one = parts.popleft()
        left = dict(part)
        reason, culprit = "no answer came for it", None
        try:
            for key, result in asked.ask(part, one_by_one, should_stop):
                if left.pop(key, None) is not None:
                    yield key, result
        except BreakdownError as error:
            reason, culprit = error.reason, error.culprit
        if should_stop() or not left:
            continue
        if len(part) == 1:
            culprit = next(iter(left))
        if culprit in left:
            del left[culprit]
            yield culprit, Result(reason=reason, may_pass=True)
        # What broke without a word when asked one by one, such as a program that dies before the first
        # object, would do so for ever.
        names_culprits = asked.names_culprits and not one_by_one
        parts.extendleft(reversed(_smaller(left, culprit is not None, names_culprits)))


def _smaller(left: dict[str, str], is_clear: bool, names_culprits: bool) -> list[Part]:
    """What to ask for next; `is_clear`: the object that broke the batch is known and gone."""
    if not left:
        return []
    if is_clear or names_culprits or len(left) == 1:
        return [(left, True)]
    keys = list(left)
    middle = len(keys) // 2
    return [({key: left[key] for key in half}, True) for half in (keys[:middle], keys[middle:])]
