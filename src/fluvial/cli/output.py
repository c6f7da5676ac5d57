"""Text to the terminal, whoever reads it and for however long."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from fluvial.core.plain import finite, masked


def say(text: str) -> None:
    """Write `text` and a line end to stdout; once nobody reads it any more, nothing happens.

    A run must not end because `head` has seen enough of its lines. Passwords of URLs are left out.
    """
    encoding = sys.stdout.encoding or "utf-8"
    # A file name need not be valid text.
    printable = masked(text).encode(encoding, "backslashreplace").decode(encoding)
    try:
        sys.stdout.write(f"{printable}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # What is left in the buffer would raise again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say_json(record: Mapping[str, Any]) -> None:
    """Write one JSON object on one line to stdout; nan and infinity become null."""
    say(json.dumps(finite(record), ensure_ascii=True))


def aligned(rows: Sequence[tuple[str, str]]) -> str:
    """Labels and values in two columns, one line each."""
    width = max((len(label) for label, _ in rows), default=0)
    return "\n".join(f"{label:{width}}  {value}".rstrip() for label, value in rows)


def percent(share: float) -> str:
    """A share as "97.3 %"; empty text for nan."""
    return "" if math.isnan(share) else f"{100.0 * share:.1f} %"


def duration(seconds: float) -> str:
    """Seconds as "1:02:03"."""
    whole = max(0, round(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
