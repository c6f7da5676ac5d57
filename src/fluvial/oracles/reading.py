"""Target files: TOML that says what a molecule is scored against, and how."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from fluvial.config.errors import SENTENCES, Places, Trouble, choice_sentence, dotted, nearest, report, shown
from fluvial.config.file import read_toml
from fluvial.config.lines import KeyPath
from fluvial.config.section import CONTRADICTION, Section
from fluvial.config.walk import section_models
from fluvial.core.errors import ConfigError

S = TypeVar("S", bound=Section)


def tool_of(path: Path, known: Iterator[str] | list[str]) -> str:
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


def read_target(path: Path, model: type[S], hint: str = "") -> S:
    """The checked content of a target file, or of another file of the same kind.

    Args:
        path: of the file.
        model: what it may say.
        hint: what to do where it is not there.

    Raises:
        ConfigError: it has problems; all of them, one line each.
    """
    data, lines = read_toml(path, hint)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigError(report(_troubles(error, model), Places(str(path), lines))) from None


def _troubles(error: ValidationError, model: type[Section]) -> Iterator[Trouble]:
    for detail in error.errors(include_url=False):
        path: KeyPath = tuple(detail["loc"])
        if detail["type"] == CONTRADICTION:
            for inner, value, sentence in detail["ctx"]["problems"]:
                whole = (*path, *inner)
                yield whole, f"{dotted(whole)}{'' if value is None else f' = {shown(value)}'}: {sentence}"
        elif detail["type"] == "extra_forbidden":
            names = sorted(_keys(model))
            guess = nearest(str(path[-1]), names)
            hint = f"did you mean '{guess}'?" if guess else f"the keys are {', '.join(names)}"
            yield path, f"unknown key '{dotted(path)}' - {hint}"
        elif detail["type"] == "missing":
            yield path, f"{dotted(path)} is missing"
        else:
            sentence = SENTENCES.get(detail["type"], detail["msg"])
            yield (
                path,
                f"{dotted(path)} = {shown(detail['input'])}: {sentence.format(**detail.get('ctx', {}))}",
            )


def _keys(model: type[Section]) -> set[str]:
    """Names of the fields of a section and of all sections in it."""
    names = set(model.model_fields)
    for field in model.model_fields.values():
        for inner in section_models(field.annotation):
            names |= _keys(inner)
    return names
