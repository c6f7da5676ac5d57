"""What the queue takes in and gives back: oracles, leased jobs, results, answers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import blake2b

from fluvial.core.errors import DataError

READY, LEASED, DONE, FAILED, DEAD = "ready", "leased", "done", "failed", "dead"
STATES = (READY, LEASED, DONE, FAILED, DEAD)
"""Of a job. `failed`: the oracle refused the object for good. `dead`: all attempts were used up."""
FINISHED = (DONE, FAILED, DEAD)
EVENTS = ("repeated", "refused", "expired", "retried", "released", "ignored", "revived")
"""What is counted besides jobs, see `Queue.events`."""
CONTROLS = ("paused", "draining")
"""Switches of a queue, see `Queue.set_controls`."""
LONGEST_TEXT = 65_536
"""Characters of an object; arbitrary, far beyond any molecule."""
LONGEST_REASON = 4_000
"""Characters of a reason that are kept; arbitrary."""


@dataclass(frozen=True)
class Oracle:
    """What is asked. Two oracles with one fingerprint give the same answers, so one answer serves both."""

    name: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    """Whatever changes an answer, as JSON values: the target, the box, the formula."""
    version: str = ""
    """Of the tool."""
    seed: str = ""
    """How the tool's own randomness is seeded; empty if it has none."""

    @property
    def description(self) -> str:
        """All fields as JSON, keys in order."""
        return json.dumps(asdict(self) | {"parameters": dict(self.parameters)}, sort_keys=True)

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal digits of the BLAKE2b of all fields."""
        return blake2b(self.description.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Result:
    """What one evaluation of one object gave: values, or the reason why there are none.

    Raises:
        ValueError: a value is no finite number, or there is neither a value nor a reason.
    """

    values: Mapping[str, float | None] = field(default_factory=dict)
    """Raw numbers by name, None where one is missing; empty for a failure. Never 0 for a failure."""
    reason: str = ""
    """Why there are no values, in one line for a user; with values, why some are missing."""
    may_pass: bool = False
    """Whether a failure may not happen again (a time-out, a lost process)."""
    seconds: float | None = None
    """Time that the evaluation took, where it is known."""

    def __post_init__(self) -> None:
        for name, value in self.values.items():
            if value is not None and (isinstance(value, bool) or not math.isfinite(value)):
                raise ValueError(f"value '{name}' is {value!r}, not a finite number; report it as missing")
        if not self.is_value and not self.reason:
            raise ValueError("a result needs a value or the reason why there is none")

    @property
    def is_value(self) -> bool:
        """Whether at least one number is known."""
        return any(value is not None for value in self.values.values())


@dataclass(frozen=True)
class Job:
    """An object in the hands of a worker."""

    id: int
    text: str
    attempt: int
    """1 for the first one."""
    token: str
    """Of the lease; a worker whose lease ran out holds an old one."""


@dataclass(frozen=True)
class Report:
    """A result for a leased job."""

    job: Job
    result: Result


@dataclass(frozen=True)
class Answer:
    """How a job ended."""

    number: int | None
    """Place in the order of answers; None until somebody has read it with `Queue.answers`."""
    oracle: str
    """Fingerprint."""
    text: str
    state: str
    """One of `FINISHED`."""
    values: dict[str, float | None]
    reason: str
    attempts: int
    owner: str
    """The worker that was asked last."""
    seconds: float | None
    """Time that the evaluation took, where it is known."""
    submitted_at: float
    finished_at: float
    """Both in seconds since 1970 by the clock of the database."""


@dataclass(frozen=True)
class Submission:
    """What became of the objects that were submitted at once."""

    new: int
    """Jobs that did not exist before."""
    waiting: int
    """Objects that were asked about before and have no answer yet."""
    answered: tuple[Answer, ...]
    """Of objects that were asked about before."""
    refused: tuple[str, ...]
    """Objects for which there was no room, or which came while the queue drains; submit them again."""


@dataclass(frozen=True)
class Counts:
    """Jobs of each state, and how many were ever accepted."""

    submitted: int = 0
    ready: int = 0
    leased: int = 0
    done: int = 0
    failed: int = 0
    dead: int = 0

    @property
    def add_up(self) -> bool:
        """Whether nothing was lost or counted twice."""
        return self.submitted == self.ready + self.leased + self.done + self.failed + self.dead


@dataclass(frozen=True)
class Retries:
    """How often a job is tried and how long it rests in between."""

    max_attempts: int = 3
    """Then it is dead. Three, because two crashes of a host are rare and four cost too much; arbitrary."""
    backoff_seconds: float = 1.0
    """After the first failure; doubled by each further one. Arbitrary."""
    most_backoff_seconds: float = 300.0
    """Arbitrary."""

    def backoff(self, attempts: int) -> float:
        """Seconds of rest after the failure of attempt number `attempts`."""
        # 2 ** 60 s is beyond any bound, and larger powers do not fit a float.
        return min(self.backoff_seconds * 2.0 ** min(attempts - 1, 60), self.most_backoff_seconds)


@dataclass(frozen=True)
class WorkerState:
    """What a worker says of itself."""

    name: str
    oracle: str
    """Fingerprint of what it answers."""
    state: str
    """"working", "idle" or "stopped"."""
    n_values: int = 0
    n_failures: int = 0
    started_at: float = 0.0
    seen_at: float = 0.0
    """By the clock of the database."""


def key_of(text: str) -> bytes:
    """16 bytes that stand for the object.

    Raises:
        DataError: the text is empty, too long, or not one that a database can hold.
    """
    if not text or len(text) > LONGEST_TEXT or "\0" in text:
        shown = repr(text if len(text) <= 60 else f"{text[:60]}...")
        raise DataError(
            f"object {shown} of {len(text)} characters cannot be submitted: it must have 1 to "
            f"{LONGEST_TEXT} characters and no NUL. Check where it comes from."
        )
    try:
        return blake2b(text.encode(), digest_size=16).digest()
    except UnicodeEncodeError as error:
        raise DataError(
            f"object {text[:60]!r} holds half of a character and cannot be submitted. Read its file as UTF-8."
        ) from error
