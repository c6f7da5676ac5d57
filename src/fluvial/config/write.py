"""A configuration becomes TOML text that explains itself and reads back as the same configuration."""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from fluvial.config.beta import BetaConfig
from fluvial.config.run_config import RunConfig
from fluvial.config.section import KIND, NamedSection, Section
from fluvial.config.walk import is_list, type_words, words_of
from fluvial.core.errors import ConfigError

WIDTH = 100
"""Longest comment line, in characters."""


def resolved_toml(config: RunConfig, facts: Mapping[str, object]) -> str:
    """TOML text of every key with its meaning as a comment.

    Args:
        config: the configuration; keys that are not set are left out.
        facts: name to value of what else defined the run, as versions; written as comments at the top.
    """
    lines = [
        "# The whole configuration of this run, every default written out.",
        *map(_fact, facts.items()),
        "",
    ]
    tables = []
    for name, value in _values(config):
        if name == "queue" and not config.queued_terms:
            continue
        if isinstance(value, Section):
            tables += ["", *_table(name, value)]
        else:
            lines += _entry(config, name, value)
    return "\n".join([*lines, *tables, ""])


def toml_value(value: Any) -> str:
    """A value as TOML writes it, on one line.

    Raises:
        ConfigError: an infinite number, NaN or text with half a character, which a configuration cannot hold.
    """
    if isinstance(value, Section):
        keys = dict(_values(value))
        return toml_value(keys["kind"] if isinstance(value, NamedSection) and len(keys) == 1 else keys)
    if isinstance(value, dict):
        inner = ", ".join(f"{_key(name)} = {toml_value(item)}" for name, item in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{value} cannot be written to a configuration; only finite numbers can.")
    return str(value).lower() if isinstance(value, bool) else repr(value)


def brief(value: Any) -> Any:
    """The plain value that a table stands for, where one says as much; else the value."""
    if isinstance(value, NamedSection) and value.name_alone is not None:
        return value.name_alone
    return value.a if isinstance(value, BetaConfig) and value.distribution == "constant" else value


def ordered(section: Section) -> list[str]:
    """The keys of a section, its name and its kind first where it has a kind."""
    names = list(type(section).model_fields)
    if "kind" in names:
        names.sort(key=lambda name: {"name": 0, "kind": 1}.get(name, 2))
    return names


def _values(section: Section) -> Iterator[tuple[str, Any]]:
    """The keys that are set."""
    for name in ordered(section):
        value = getattr(section, name)
        if value is not None:
            yield name, value


def _table(path: str, section: Section, is_item: bool = False) -> list[str]:
    lines = [f"[[{path}]]" if is_item else f"[{path}]"]
    items = []
    for name, value in _values(section):
        if is_list(type(section).model_fields[name]) and value:
            for item in value:
                items += ["", *_table(f"{path}.{name}", item, is_item=True)]
        else:
            lines += _entry(section, name, value)
    return [*lines, *items]


def _entry(section: Section, name: str, value: Any) -> list[str]:
    field = type(section).model_fields[name]
    is_choice = field.description == KIND  # the section's own words say more than that it is chosen
    meaning = words_of(type(section)) if is_choice else f"{field.description} ({type_words(field)})"
    if isinstance(value, NamedSection):
        meaning += f" {value.kind}: {words_of(type(value))}"
    return [*comment_lines(meaning), f"{name} = {toml_value(value)}"]


def comment_lines(text: str) -> list[str]:
    """The text as comment lines of limited width."""
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _fact(fact: tuple[str, object]) -> str:
    """One comment line, whatever characters the fact holds."""
    text = f"{fact[0]}: {fact[1]}"
    return f"# {json.dumps(text)[1:-1]}".replace("\x7f", "")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"{text!r} cannot be written to a configuration; it is not valid text.") from None
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
