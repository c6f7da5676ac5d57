"""What an oracle writes, as results; whatever it writes, nothing here raises."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from fluvial.queue.jobs import Result
from fluvial.rewards.calls import Failure, Row, Value, finite_value

LONGEST_LINE = 1_000_000
"""Bytes of one line; arbitrary, far beyond any answer."""
VALUE = "value"
"""Name of a number that came without one."""


@dataclass(frozen=True)
class Answered:
    """A line with a result."""

    id: str
    result: Result


@dataclass(frozen=True)
class Started:
    """A line that says which object is evaluated from now on."""

    id: str


@dataclass(frozen=True)
class Ready:
    """A line that says that everything is loaded."""


@dataclass(frozen=True)
class Fatal:
    """A line that says why nothing can ever be evaluated."""

    reason: str


@dataclass(frozen=True)
class Noise:
    """A line that is none of these, such as a message of a library."""

    text: str


Line = Answered | Started | Ready | Fatal | Noise


def parse_line(line: bytes) -> Line:
    """The meaning of a line: JSON as in `{"id": "7", "value": 0.5}`, or noise.

    Besides `value` there is `values`, numbers by name, and `error`, a text, with `retry`, whether the same
    may work later. `{"id": "7", "started": true}`, `{"ready": true}` and `{"fatal": "why"}` are no results.
    """
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return Noise(shown(line))
    if not isinstance(record, dict):
        return Noise(shown(line))
    if record.get("ready") is True:
        return Ready()
    if "fatal" in record:
        return Fatal(one_line(record["fatal"]))
    key = record.get("id")
    if isinstance(key, bool) or not isinstance(key, str | int):
        return Noise(shown(line))
    if record.get("started") is True:
        return Started(str(key))
    result = result_of_record(record)
    return Noise(shown(line)) if result is None else Answered(str(key), result)


def result_of_record(record: Mapping[str, object]) -> Result | None:
    """The result in a JSON object with `value`, `values` or `error`; None if there is none of them."""
    if "error" in record:
        return Result(reason=one_line(record["error"]), may_pass=record.get("retry") is True)
    seconds = finite_value(record.get("seconds"))
    took = None if isinstance(seconds, Failure) or seconds < 0.0 else seconds
    if "values" in record:
        values = record["values"]
        if not isinstance(values, dict) or not values:
            return Result(reason=f"returned {shown(values)} as values, not numbers by name", seconds=took)
        return result_of({name: finite_value(value) for name, value in values.items()}, took)
    return result_of(finite_value(record["value"]), took) if "value" in record else None


def record_of(key: str, result: Result) -> dict[str, object]:
    """The JSON object that `parse_line` reads as this result."""
    if not result.is_value:
        return {"id": key, "error": result.reason, "retry": result.may_pass}
    record: dict[str, object] = {"id": key, "values": dict(result.values)}
    return record if result.seconds is None else {**record, "seconds": result.seconds}


def result_of(row: Row, seconds: float | None = None) -> Result:
    """A value, a failure, or several by name, as one result."""
    named: Mapping[str, Value] = row if isinstance(row, Mapping) else {VALUE: row}
    values = {name: None if isinstance(value, Failure) else value for name, value in named.items()}
    failures = {name: value for name, value in named.items() if isinstance(value, Failure)}
    reasons = [
        value.reason if name == VALUE else f"'{name}': {value.reason}" for name, value in failures.items()
    ]
    if len(failures) < len(named):
        return Result(values, one_line("; ".join(reasons)) if reasons else "", seconds=seconds)
    may_pass = all(value.may_pass for value in failures.values())
    return Result(reason=one_line("; ".join(reasons)), may_pass=may_pass, seconds=seconds)


def one_line(value: object) -> str:
    """A text without line breaks, never empty."""
    text = value if isinstance(value, str) else shown(value)
    return " ".join(text.split())[:1000] or "failed without a reason"


def shown(value: object) -> str:
    """The beginning of anything."""
    text = value[:400].decode("utf-8", "replace") if isinstance(value, bytes) else repr(value)
    return " ".join(text.split())[:200]
