"""Keys that are set on the command line, as `algo.batch=32`."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from fluvial.config.errors import dotted, shown
from fluvial.config.lines import KeyPath
from fluvial.config.walk import table_makers


@dataclass(frozen=True)
class Overridden:
    """A configuration after the command line was applied."""

    data: dict[str, Any]
    """The changed copy."""
    done: tuple[tuple[KeyPath, str], ...]
    """The path that each argument set, and the argument, in order."""
    complaints: tuple[str, ...]
    """A sentence for each argument that could not be applied."""


def apply_overrides(data: dict[str, Any], overrides: Sequence[str]) -> Overridden:
    """A copy of `data` with the overrides set, in order.

    Args:
        data: a parsed configuration.
        overrides: arguments `key.path=value`; a value that is not valid TOML is text. Whole numbers in the
            path are positions in a list, from 0.
    """
    changed = data
    done, complaints = [], []
    for override in overrides:
        try:
            attempt = copy.deepcopy(changed)
            done.append((_apply(attempt, override), override))
            changed = attempt
        except ValueError as error:
            complaints.append(f"override {override!r}: {error}")
    return Overridden(changed, tuple(done), tuple(complaints))


def _apply(data: dict[str, Any], override: str) -> KeyPath:
    try:
        override.encode()
    except UnicodeEncodeError:
        raise ValueError("is not UTF-8 text") from None
    key, equals, text = override.partition("=")
    names = [name.strip() for name in key.split(".")]
    if not equals or not all(names):
        raise ValueError("must look like key=value, as in algo.batch=32")
    return _set(data, names, _value(text))


def _value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return parsed["value"] if len(parsed) == 1 else text


def _set(data: dict[str, Any], names: list[str], value: Any) -> KeyPath:
    """The path with positions as numbers, at whose end the value is set, with sections made on the way."""
    here: Any = data
    path: KeyPath = ()
    for name in names[:-1]:
        part = _part(here, path, name)
        path = (*path, part)
        if isinstance(here, dict):
            here[part] = _opened(here.get(part, {}), path)
        here = here[part]
    part = _part(here, path, names[-1])
    here[part] = value
    return (*path, part)


def _opened(value: Any, path: KeyPath) -> Any:
    """The table that a plain value stands for, so that keys can be set in it; else the value itself."""
    table = table_makers().get(dotted(path))
    if table is None or isinstance(value, dict):
        return value
    with suppress(ValueError):
        return table(value)
    return value


def _part(here: Any, path: KeyPath, name: str) -> str | int:
    """The key or position that `name` means in the value at `path`."""
    is_position = name.isascii() and name.isdigit()
    if isinstance(here, list):
        if not is_position or int(name) >= len(here):
            raise ValueError(
                f"'{dotted(path)}' has {len(here)} items, counted from 0; '{name}' is none of them"
            )
        return int(name)
    if not isinstance(here, dict):
        raise ValueError(f"'{dotted(path)}' is {shown(here)}, which has no keys inside")
    if is_position and path and not here:
        raise ValueError(f"the file has no list '{dotted(path)}' to change; write it there first")
    return name
