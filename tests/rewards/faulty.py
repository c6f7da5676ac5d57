"""Reward functions with each kind of fault, by what the object says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def score(texts: list[str]) -> list[object]:
    return [one(text) for text in texts]


def one(text: str) -> object:
    """The value of "value:0.5"; else a fault of the named kind."""
    kind, _, rest = text.partition(":")
    return FAULTS[kind](rest)


def sleep_with_child(rest: str) -> float:
    """A grandchild that leaves its number behind, and nothing else for long."""
    path = rest.split(":")[0]
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    Path(path).write_text(str(child.pid))
    time.sleep(60)
    return 1.0


def recurse(rest: str) -> float:
    return recurse(rest) + 1.0


def raise_error(rest: str) -> float:
    raise ValueError(f"cannot dock {rest}")


def leave(rest: str) -> float:
    sys.exit(0)


def shout(rest: str) -> float:
    print('{"id": "1", "value": 666}', flush=True)
    os.write(1, b"raw noise on stdout\n")
    return 0.25


FAULTS = {
    "value": lambda rest: float(rest.split(":")[0]),
    "raise": raise_error,
    "nan": lambda rest: float("nan"),
    "infinite": lambda rest: float("inf"),
    "none": lambda rest: None,
    "text": lambda rest: "0.5",
    "bool": lambda rest: True,
    "list": lambda rest: [1.0],
    "hang": lambda rest: time.sleep(60),
    "child": sleep_with_child,
    "crash": lambda rest: os.kill(os.getpid(), signal.SIGSEGV),
    "quit": lambda rest: os._exit(0),
    "leave": leave,
    "recursion": recurse,
    "shout": shout,
}
