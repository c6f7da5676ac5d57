"""A reward function with every kind of fault, by what the object says: `value:0.5`, `crash:7`, `hang`."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path


def score(texts: list[str]) -> list[object]:
    """The value of each text, or its fault."""
    return [one(text) for text in texts]


def one(text: str) -> object:
    """The value of "value:0.5:anything"; else a fault of the named kind."""
    kind, _, rest = text.partition(":")
    return FAULTS[kind](rest.partition(":")[0])


def hang(rest: str) -> float:
    """Nothing for a minute."""
    time.sleep(60)
    return 1.0


def hang_with_child(rest: str) -> float:
    """The same, with another process whose number is written to the file `rest`."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    Path(rest).write_text(str(child.pid))
    return hang(rest)


def raise_error(rest: str) -> float:
    """An exception."""
    raise ValueError(f"cannot dock {rest}")


def recurse(rest: str) -> float:
    """A RecursionError."""
    return recurse(rest) + 1.0


def crash(rest: str) -> float:
    """The signal that reading from nowhere gives."""
    os.kill(os.getpid(), signal.SIGSEGV)
    return 1.0


def read_nowhere(rest: str) -> str:
    """A crash of the interpreter in C."""
    return ctypes.string_at(0).decode()


def leave(rest: str) -> float:
    """A SystemExit."""
    sys.exit(0)


def quit_at_once(rest: str) -> float:
    """The end of the process, as if all were well."""
    os._exit(0)


def shout(rest: str) -> float:
    """A value, with lines on stdout that look like answers."""
    os.write(1, b'{"id": "1", "value": 666}\nraw noise on stdout\n')
    return 0.25


FAULTS: dict[str, Callable[[str], object]] = {
    "value": float,
    "shout": shout,
    "raise": raise_error,
    "nan": lambda rest: float("nan"),
    "infinite": lambda rest: float("-inf"),
    "none": lambda rest: None,
    "text": lambda rest: "0.5",
    "bool": lambda rest: True,
    "list": lambda rest: [1.0],
    "leave": leave,
    "recursion": recurse,
    "crash": crash,
    "nowhere": read_nowhere,
    "quit": quit_at_once,
    "hang": hang,
    "child": hang_with_child,
}
"""Name to what happens; the first two give values."""
