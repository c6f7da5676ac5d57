"""A file and command-line overrides become a checked `RunConfig`, or one message with every problem."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from fluvial.config.errors import Places, report, troubles
from fluvial.config.lines import KeyPath, key_lines
from fluvial.config.overrides import apply_overrides
from fluvial.config.run_config import RunConfig
from fluvial.config.section import Section
from fluvial.core.errors import ConfigError

S = TypeVar("S", bound=Section)

INIT = "`fluvial init` writes one to start from"
MAX_BYTES = 1_000_000
"""Largest configuration file. Arbitrary: a hundred times a long one."""


@dataclass(frozen=True)
class LoadedConfig:
    """A checked configuration and where it came from."""

    config: RunConfig
    base: Path
    """Folder that relative paths in the configuration start at, absolute."""
    origin: str
    """Name of the file, as the user gave it."""

    def path(self, text: str) -> Path:
        """A path of the configuration, made absolute; `~` is the home folder."""
        return self.base / Path(text).expanduser()


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> LoadedConfig:
    """The checked content of a TOML file, or of a JSON file by its extension, with overrides applied.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or has problems; all of them, one line each.
    """
    origin = str(path)
    if Path(path).suffix.lower() in (".yaml", ".yml"):
        raise ConfigError(f"{origin}: YAML is not read here; write the configuration as TOML or JSON.")
    config = parse_config(_decode(_read(origin, INIT), origin), origin, overrides)
    return LoadedConfig(config, Path(path).absolute().parent, origin)


def parse_config(text: str, origin: str = "run.toml", overrides: Sequence[str] = ()) -> RunConfig:
    """The checked configuration in a TOML text, or a JSON text where `origin` ends in .json.

    Raises:
        ConfigError: as `load_config`.
    """
    try:
        data, lines = (
            _parse_json(text, origin) if origin.lower().endswith(".json") else _parse_toml(text, origin)
        )
    except RecursionError:
        raise ConfigError(f"{origin}: lists or tables are nested too deeply to be a configuration.") from None
    overridden = apply_overrides(data, overrides)
    try:
        config = RunConfig.model_validate(overridden.data)
    except ValidationError as error:
        found = report(troubles(error), Places(origin, lines, overridden.done))
        raise ConfigError("\n".join([found, *overridden.complaints])) from None
    if overridden.complaints:
        raise ConfigError("\n".join(overridden.complaints))
    return config


def read_toml(path: Path, hint: str = "") -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """The content of a TOML file, and the line of each key.

    Args:
        path: of the file.
        hint: what to do where it is not there.

    Raises:
        ConfigError: the file cannot be read, or is no TOML.
    """
    origin = str(path)
    return _parse_toml(_decode(_read(origin, hint), origin), origin)


def read_section(path: Path, model: type[S], hint: str = "") -> S:
    """The checked content of a TOML file of another kind than a configuration.

    Args:
        path: of the file.
        model: what it may say.
        hint: what to do where it is not there.

    Raises:
        ConfigError: the file cannot be read, is no TOML, or has problems; all of them, one line each.
    """
    data, lines = read_toml(path, hint)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigError(report(troubles(error, model), Places(str(path), lines))) from None


def _read(origin: str, hint: str) -> bytes:
    try:
        with open(origin, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{origin}: there is no such file{f'; {hint}' if hint else ''}.") from None
    except IsADirectoryError:
        raise ConfigError(f"{origin}: is a folder; name the configuration file in it.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{origin!r} cannot be read: {reason}.") from None
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{origin}: is larger than {MAX_BYTES} bytes, which no configuration is.")
    return content


def _decode(content: bytes, origin: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise ConfigError(
            f"{origin}:{line}: byte 0x{byte:02x} is not UTF-8; save the file as UTF-8."
        ) from None


def _parse_toml(text: str, origin: str) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    try:
        data = tomllib.loads(text)
    except ValueError as error:
        raise ConfigError(_syntax_sentence(str(error), text, origin)) from None
    return data, key_lines(text)


def _syntax_sentence(reason: str, text: str, origin: str) -> str:
    """The parser's reason with its place in front, as editors can open it."""
    place = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", reason)
    if place is None:
        return f"{origin}: {reason}"
    line, column = place.groups() if place[1] else (text.count("\n") + 1, len(text) - text.rfind("\n"))
    words = reason[: place.start()]
    if words == "Cannot overwrite a value":
        words = "the key is set a second time here; keep one of the two"
    return f"{origin}:{line}:{column}: {words}"


def _parse_json(text: str, origin: str) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    try:
        data = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
        json.dumps(data, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise ConfigError(f"{origin}:{error.lineno}:{error.colno}: {error.msg}") from None
    except UnicodeEncodeError:
        raise ConfigError(f"{origin}: holds half a character (a lone surrogate); write it whole.") from None
    except ValueError as error:
        raise ConfigError(f"{origin}: {error}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{origin}: must be one table {{...}} with the sections inside.")
    return data, {}


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {json.dumps(twice)} is set twice in the same table; keep one of the two")
    return data


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number that a configuration can hold")
