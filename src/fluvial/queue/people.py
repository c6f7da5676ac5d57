"""Ask people and tell what they found: a queue whose worker is a notebook, a laboratory or a table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real

from fluvial.core.errors import ConfigError
from fluvial.queue.jobs import Job, Report, Result
from fluvial.queue.protocol import Queue
from fluvial.queue.summary import find_oracle

Found = float | Mapping[str, float | None] | str | None
"""A number, several by name, a text that says why there is none, or None where it just did not work out."""
PEOPLE = "people"
"""Name of the worker that they are."""
DAY_SECONDS = 86_400.0


def ask(
    queue: Queue, n: int, days: float = 7.0, oracle: str | None = None, name: str = PEOPLE
) -> dict[str, Job]:
    """At most `n` objects that wait for an answer, by text; nobody else gets them for so many days.

    Args:
        queue: where they wait.
        n: how many, at least 1.
        days: after which they go to others, above 0.
        oracle: name of what is asked, if the queue has several.
        name: of who asks.

    Raises:
        ConfigError: nothing was ever asked, or there are several oracles.
    """
    try:
        fingerprint = find_oracle(dict(queue.oracles()), oracle)
    except LookupError as error:
        raise ConfigError(f"the queue has several oracles: {error}. Say which one") from None
    if fingerprint is None:
        raise ConfigError(f"nothing was asked of {oracle or 'anybody'} so far; ask first, or start the run")
    jobs: dict[str, Job] = {}
    while len(jobs) < n:
        # What was tried before comes alone.
        claimed = queue.claim(name, fingerprint, n - len(jobs), days * DAY_SECONDS)
        if not claimed:
            break
        jobs |= {job.text: job for job in claimed}
    return jobs


def tell(queue: Queue, jobs: Mapping[str, Job], found: Mapping[str, Found]) -> int:
    """How many answers changed something; what is not told stays asked.

    Args:
        queue: where `jobs` came from.
        jobs: what `ask` gave.
        found: text to what was found. Nan counts as None.

    Raises:
        ConfigError: a text was not asked about, or what was found is no number and no reason. Then nothing is
            told.
    """
    strange = [text for text in found if text not in jobs]
    if strange:
        raise ConfigError(f"{strange[0]!r} is not among the {len(jobs)} objects that were asked about")
    for text, value in found.items():
        _require_found(text, value)
    return queue.report([Report(jobs[text], result_of_people(value)) for text, value in found.items()])


def _require_found(text: str, value: Found) -> None:
    """An answer is final, so what is none is refused; "6.2" would count as the reason of a failure."""
    if isinstance(value, str):
        if _is_written_number(value):
            raise ConfigError(
                f"{value!r} of {text!r} is a text; give a number, or in words why there is none"
            )
        return
    for number in value.values() if isinstance(value, Mapping) else [value]:
        if number is not None and not isinstance(number, Real):
            raise ConfigError(
                f"{number!r} of {text!r} must be a number, None, or a text that says why there is none"
            )


def _is_written_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def result_of_people(found: Found) -> Result:
    """What people say, as a result; a failure is final, as they have tried."""
    if isinstance(found, str):
        return Result(reason=found or "no value")
    numbers = {"value": found} if not isinstance(found, Mapping) else dict(found)
    known = {
        name: None if value is None or not math.isfinite(value) else float(value)
        for name, value in numbers.items()
    }
    if all(value is None for value in known.values()):
        return Result(reason="no value")
    return Result(known)
