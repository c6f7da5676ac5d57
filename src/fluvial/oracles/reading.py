"""Which tool a target file names: TOML that says what a molecule is scored against, and how."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from fluvial.config.errors import choice_sentence, shown
from fluvial.config.file import read_toml
from fluvial.core.errors import ConfigError


def tool_of(path: Path, known: Iterable[str]) -> str:
    """The tool that a target file names.

    Raises:
        ConfigError: the file is not there, is no TOML, or names no tool of `known`.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such target file")
    data, _ = read_toml(path)
    names = list(known)
    if data.get("tool") not in names:
        found = "" if "tool" not in data else f" = {shown(data['tool'])}"
        raise ConfigError(f"{path}: tool{found}: {choice_sentence(data.get('tool'), names)}")
    return str(data["tool"])
