"""Call code of a user so that nothing it does can end the run, one molecule at a time if need be."""

from __future__ import annotations

import inspect
import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path

from rdkit.Chem import Mol


@dataclass(frozen=True)
class Failure:
    """Why there is no value."""

    reason: str
    """One line for the user."""
    may_pass: bool = False
    """Whether the same call may succeed later (a time-out, a lost connection)."""


Value = float | Failure
"""A finite number, or why there is none."""
Row = Value | Mapping[str, Value]
"""What a function says of one molecule: a value, or several by name."""


def call_function(function: Callable[..., object], molecules: Sequence[object]) -> list[Row]:
    """What `function` says of each molecule, [B]; a molecule on which it breaks gets a `Failure`.

    The function is called once with the whole batch. If that call raises, or does not return as many values
    as there are molecules, each molecule is tried alone, so that one bad molecule costs no other its value.
    Every exception is caught, `SystemExit` included; only `KeyboardInterrupt` passes.

    Args:
        function: takes a list of molecules; returns a list of numbers or a dict: name to such a list.
        molecules: SMILES or RDKit molecules (which are copied, as functions may change them).
    """
    if not molecules:
        return []
    rows = _attempt(function, molecules)
    if isinstance(rows, list):
        return rows
    if len(molecules) == 1:
        return [rows]
    return [row for molecule in molecules for row in _one(function, molecule)]


def _one(function: Callable[..., object], molecule: object) -> list[Row]:
    rows = _attempt(function, [molecule])
    return rows if isinstance(rows, list) else [rows]


def _attempt(function: Callable[..., object], molecules: Sequence[object]) -> list[Row] | Failure:
    """The rows of one call, or why the call as a whole is worth nothing."""
    copies = [Mol(molecule) if isinstance(molecule, Mol) else molecule for molecule in molecules]
    try:
        return _rows(function(copies), len(molecules))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        code = getattr(inspect.unwrap(function), "__code__", None)
        file = code.co_filename if code is not None else ""
        return Failure(describe(error, file), may_pass=isinstance(error, TimeoutError | ConnectionError))


def _rows(returned: object, count: int) -> list[Row] | Failure:
    if not isinstance(returned, Mapping):
        values = _column(returned, count)
        return values if isinstance(values, Failure) else [*values]
    if not returned:
        return Failure("returned a dict without entries")
    columns: dict[str, list[Value]] = {}
    for name, column in returned.items():
        values = _column(column, count)
        if isinstance(values, Failure):
            return Failure(f"'{name}': {values.reason}")
        columns[str(name)] = values
    return [{name: values[row] for name, values in columns.items()} for row in range(count)]


def _column(returned: object, count: int) -> list[Value] | Failure:
    """`count` values out of a list, tuple, array, tensor or series."""
    listed = returned.tolist() if hasattr(returned, "tolist") else returned
    if not isinstance(listed, list | tuple):
        return Failure(f"returned {_short(returned)}, not a list of numbers")
    if len(listed) != count:
        molecules = "1 molecule" if count == 1 else f"{count} molecules"
        return Failure(f"returned {len(listed)} value{'s' * (len(listed) != 1)} for {molecules}")
    return [finite_value(value) for value in listed]


def finite_value(value: object) -> Value:
    """`value` as a float if it is a finite number, else why it is none; a bool is not a number here."""
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Real):
        return Failure(f"returned {_short(value)}, not a number")
    try:
        number = float(value)
    except OverflowError:
        return Failure("returned a number that is too large")
    return number if math.isfinite(number) else Failure(f"returned {number}, not a finite number")


def describe(error: BaseException, file: str = "") -> str:
    """One line on an exception: its type, its message, and the last place in `file` that it came through."""
    try:
        message = " ".join(str(error).split())[:300]
    except Exception:
        message = "(its message cannot be shown)"
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f"{text} ({Path(file).name} line {lines[-1]})" if lines else text


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"a {type(value).__name__}"
