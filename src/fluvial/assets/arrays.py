"""Arrays out of files that others wrote with pickle, without running anything that such a file says."""

from __future__ import annotations

import gzip
import pickletools
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fluvial.core.errors import AssetError

MOST_BYTES = 1 << 28
"""Largest file, unpacked; a packed file of a few kB could fill the memory. Arbitrary."""

_GZIP = b"\x1f\x8b"
_NUMERIC = re.compile(r"[fiu][1248]|b1")
_NAMES = ("_reconstruct", "ndarray", "dtype")


def read_arrays(path: Path) -> list[NDArray[Any]]:
    """The arrays of numbers in a pickled list of numpy arrays, in order; the file may be packed by gzip.

    The file is read as a sequence of instructions, of which only those are followed that make numbers, texts,
    tuples, lists and arrays of numbers. Nothing is imported or called, and no `pickle` is involved.

    Raises:
        AssetError: the file cannot be read, is damaged or too large, or holds anything else.
    """
    try:
        found = _followed(_unpacked(path))
    except OSError as error:
        raise AssetError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, EOFError, zlib.error) as error:
        raise AssetError(f"{path} is no list of numpy arrays and is not read: {error}.") from error
    if not isinstance(found, list) or not all(isinstance(item, _Array) for item in found):
        raise AssetError(f"{path} is no list of numpy arrays and is not read.")
    return [item.values for item in found]


def _unpacked(path: Path) -> bytes:
    with path.open("rb") as stream:
        is_packed = stream.read(len(_GZIP)) == _GZIP
    with gzip.open(path) if is_packed else path.open("rb") as stream:
        content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES} bytes")
    return content


@dataclass(frozen=True)
class _Name:
    """One of the three names of numpy that the writing of an array needs."""

    name: str


@dataclass
class _Kind:
    """A dtype in the making."""

    text: str
    order: str = "="

    def build(self, state: Any) -> None:
        self.order = state[1]
        if self.order not in ("<", ">", "|", "="):
            raise ValueError(f"numbers in the byte order {self.order!r}")


@dataclass
class _Array:
    """An array in the making."""

    values: NDArray[Any] = field(default_factory=lambda: np.zeros(0))

    def build(self, state: Any) -> None:
        _, shape, kind, is_fortran, content = state
        raw = content.encode("latin-1") if isinstance(content, str) else content
        flat = np.frombuffer(raw, np.dtype(kind.order + kind.text))
        self.values = flat.reshape(shape, order="F" if is_fortran else "C").copy()


@dataclass
class _Machine:
    """What the instructions act on."""

    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memory: dict[int, Any] = field(default_factory=dict)

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def mark(self, _: Any) -> None:
        self.marks.append(len(self.stack))

    def since_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def last(self, count: int) -> tuple[Any, ...]:
        if len(self.stack) < count:
            raise ValueError("it is cut short")
        items = tuple(self.stack[-count:])
        del self.stack[-count:]
        return items

    def extend(self, items: list[Any] | tuple[Any, ...]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise TypeError(f"items for {type(target).__name__}, which is no list")
        target.extend(items)

    def remember(self, place: int | None) -> None:
        self.memory[len(self.memory) if place is None else place] = self.stack[-1]

    def name(self, module: str, name: str) -> None:
        if module.split(".")[0] != "numpy" or name not in _NAMES:
            raise ValueError(f"it asks for {module}.{name}")
        self.push(_Name(name))

    def reduce(self, _: Any) -> None:
        function, arguments = self.last(2)
        if function == _Name("_reconstruct") and arguments[0] == _Name("ndarray"):
            self.push(_Array())
        elif function == _Name("dtype") and _NUMERIC.fullmatch(arguments[0]):
            self.push(_Kind(arguments[0]))
        else:
            raise ValueError(f"it calls {function} with {arguments!r:.80}")

    def build(self, _: Any) -> None:
        (state,) = self.last(1)
        target = self.stack[-1]
        if not isinstance(target, _Array | _Kind):
            raise TypeError(f"it sets the state of {type(target).__name__}")
        target.build(state)


_INSTRUCTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda machine, value: None),
    **dict.fromkeys(
        (
            *("BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "SHORT_BINUNICODE"),
            *("BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
        ),
        _Machine.push,
    ),
    "NONE": lambda machine, value: machine.push(None),
    "NEWTRUE": lambda machine, value: machine.push(True),
    "NEWFALSE": lambda machine, value: machine.push(False),
    "EMPTY_LIST": lambda machine, value: machine.push([]),
    "EMPTY_TUPLE": lambda machine, value: machine.push(()),
    "MARK": _Machine.mark,
    "TUPLE": lambda machine, value: machine.push(tuple(machine.since_mark())),
    "TUPLE1": lambda machine, value: machine.push(machine.last(1)),
    "TUPLE2": lambda machine, value: machine.push(machine.last(2)),
    "TUPLE3": lambda machine, value: machine.push(machine.last(3)),
    "APPEND": lambda machine, value: machine.extend(machine.last(1)),
    "APPENDS": lambda machine, value: machine.extend(machine.since_mark()),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT", "MEMOIZE"), _Machine.remember),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), lambda machine, value: machine.push(machine.memory[value])),
    "GLOBAL": lambda machine, value: machine.name(*value.split(" ", 1)),
    "STACK_GLOBAL": lambda machine, value: machine.name(*machine.last(2)),
    "REDUCE": _Machine.reduce,
    "BUILD": _Machine.build,
}


def _followed(content: bytes) -> Any:
    """The one object that the instructions leave."""
    machine = _Machine()
    for instruction, value, _ in pickletools.genops(content):
        if instruction.name not in _INSTRUCTIONS:
            raise ValueError(f"it has the instruction {instruction.name}")
        _INSTRUCTIONS[instruction.name](machine, value)
    (left,) = machine.stack
    return left
