"""From what a user chooses in a few words to a checked configuration."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fluvial.core.errors import ConfigError

if TYPE_CHECKING:
    from fluvial.config.file import LoadedConfig
    from fluvial.rewards.terms import Term

PathLike = str | os.PathLike[str]
Function = Callable[..., object]
RewardChoice = str | Function | Mapping[str, str | Function]
"""Factors as "qed*file.py:score", a function, or a name for each of several of them."""

MOLECULES = '[env]\nkind = "fragments"\n'
"""The configuration that stands for all defaults."""

IN_MEMORY = "<in memory>.py"
"""Stands in a configuration for the file of a function that was passed as a Python object."""


@dataclass(frozen=True)
class Choice:
    """One key of the configuration and the value that the user chose."""

    key: str
    value: object
    said: str
    """How the user said so, for messages: `--steps 300`."""


def configured(
    config: PathLike | None, choices: Sequence[Choice] = (), overrides: Sequence[str] = ()
) -> LoadedConfig:
    """The checked configuration of a file, or of all defaults, with choices and overrides applied in order.

    Raises:
        ConfigError: what is wrong, in the words of the user.
    """
    from fluvial.config.file import LoadedConfig, load_config, parse_config
    from fluvial.config.write import toml_value

    said = {f"{choice.key}={toml_value(_plain(choice.value))}": choice.said for choice in choices}
    changes = [*said, *overrides]
    try:
        if config is not None:
            return load_config(Path(config), changes)
        return LoadedConfig(parse_config(MOLECULES, "defaults", changes), Path.cwd(), "defaults")
    except ConfigError as error:
        message = str(error)
        for change, words in said.items():
            message = message.replace(f"override {change!r}", words)
        raise ConfigError(message) from None


def reward_terms(reward: RewardChoice | None) -> tuple[list[dict[str, Any]], dict[str, Function]]:
    """The tables [[reward.term]] of the factors, and those of them that are Python objects, by name.

    Raises:
        ConfigError: no factor, an empty one, or an unknown property.
        RewardError: a function that is not of the form file.py:function, or takes other arguments.
    """
    tables: list[dict[str, Any]] = []
    functions: dict[str, Function] = {}
    for label, factor in _factors(reward):
        if isinstance(factor, str):
            tables += [_table(term, label) for term in _parsed(factor, label)]
        else:
            name = label or _name(factor)
            functions[name] = factor
            tables.append(_table_of_object(factor, name))
    return _with_names_apart(tables), functions


def free_folder(parent: Path, start: str = "design") -> Path:
    """A folder in `parent` that does not exist yet, named after the time."""
    stem = f"{start}-{time.strftime('%Y%m%d-%H%M%S')}"
    path, number = parent / stem, 1
    while path.exists():
        number += 1
        path = parent / f"{stem}-{number}"
    return path


def _plain(value: object) -> Any:
    """The value as a configuration writes it."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, bool | int | float | str) else str(value)


def _factors(reward: RewardChoice | None) -> list[tuple[str, str | Function]]:
    """Label (may be empty) and factor."""
    if reward is None:
        return []
    if isinstance(reward, Mapping):
        if not reward:
            raise ConfigError("reward: the dict is empty; give it at least one name and factor")
        return list(reward.items())
    return [("", reward)]


def _parsed(text: str, label: str) -> list[Term]:
    from fluvial.rewards.flags import parse_reward_flag

    terms = parse_reward_flag(text)
    if label and len(terms) > 1:
        raise ConfigError(f"reward '{label}': '{text}' are several factors; give each a name of its own")
    return terms


def _table(term: Term, label: str) -> dict[str, str]:
    from fluvial.rewards.measures import UserFile

    table = {"name": label or term.name, "kind": term.kind}
    if isinstance(term.raw, UserFile):
        path, _, function = term.raw.spec.rpartition(":")
        table["function"] = f"{term.raw.base / path}:{function}"
    return table


def _table_of_object(function: Function, name: str) -> dict[str, str]:
    from fluvial.rewards.terms import function_term

    function_term(function, label=name)
    return {"name": name, "kind": "function", "function": f"{IN_MEMORY}:function"}


def _name(function: Function) -> str:
    name = getattr(function, "__name__", "")
    return name if name.isidentifier() else "reward"


def _with_names_apart(tables: list[dict[str, str]]) -> list[dict[str, str]]:
    """The tables, with a number behind the name of each but the first that is called the same."""
    seen: dict[str, int] = {}
    apart = []
    for table in tables:
        name = table["name"]
        seen[name] = seen.get(name, 0) + 1
        apart.append(table if seen[name] == 1 else {**table, "name": f"{name} {seen[name]}"})
    return apart
