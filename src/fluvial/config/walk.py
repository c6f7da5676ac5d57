"""What the sections themselves say: their keys, kinds and types, found by reading the models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import NoneType
from typing import Any, Literal, cast, get_args, get_origin

from pydantic import BeforeValidator
from pydantic.fields import FieldInfo

from fluvial.config.lines import KeyPath
from fluvial.config.run_config import RunConfig
from fluvial.config.section import NamedSection, Section

PROPERTY = "property"
"""Tag of the section that stands for all kinds that are not listed."""


def section_models(annotation: Any) -> tuple[type[Section], ...]:
    """The sections that a value of this type may be; none for plain values."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return (annotation,)
    return tuple(model for part in get_args(annotation) for model in section_models(part))


def kind_of(model: type[Section]) -> str:
    """The `kind` that selects this section, or 'property' where any further name does."""
    kinds = get_args(model.model_fields["kind"].annotation) if "kind" in model.model_fields else ()
    return str(kinds[0]) if len(kinds) == 1 else PROPERTY


def takes_name(models: tuple[type[Section], ...]) -> bool:
    """Whether the name of a kind may stand for a section that is one of these."""
    return bool(models) and all(issubclass(model, NamedSection) for model in models)


def table_makers() -> dict[str, Callable[[Any], Any]]:
    """Dotted key of each table that a plain value may stand for, to what makes the table of the value.

    What stands for no table is given back as it is, or a ValueError says why.
    """
    return {
        path: cast(Callable[[Any], Any], entry.func)
        for path, _, field in entries(RunConfig)
        for entry in field.metadata
        if isinstance(entry, BeforeValidator) and section_models(field.annotation)
    }


def is_list(field: FieldInfo) -> bool:
    """Whether the value is a list of sections."""
    return get_origin(field.annotation) is tuple and bool(section_models(field.annotation))


def locate(location: tuple[int | str, ...], root: type[Section]) -> tuple[KeyPath, tuple[type[Section], ...]]:
    """The path below `root` of a validation error without the names of kinds in it, and the sections it may
    be at."""
    path: KeyPath = ()
    models: tuple[type[Section], ...] = (root,)
    for part in location:
        if len(models) > 1 and isinstance(part, str):
            models = tuple(model for model in models if kind_of(model) == part)
            continue
        if isinstance(part, str):
            field = models[0].model_fields.get(part) if models else None
            models = section_models(field.annotation) if field is not None else ()
        path = (*path, part)
    return path, models


def words_of(model: type[Section]) -> str:
    """What the section says of itself, on one line."""
    return " ".join((model.__doc__ or "").split())


def first_sentence(text: str) -> str:
    """The text up to its first full stop."""
    return text.strip().split(". ")[0].split(".\n")[0].removesuffix(".") + "."


def entries(model: type[Section], prefix: str = "") -> Iterator[tuple[str, type[Section], FieldInfo]]:
    """Each key below a section with its dotted path, the section that has it, and its field.

    Keys that several kinds have come several times; positions in lists are left out.
    """
    for name, field in model.model_fields.items():
        path = f"{prefix}{name}"
        yield path, model, field
        for inner in section_models(field.annotation):
            yield from entries(inner, f"{path}.")


def type_words(field: FieldInfo) -> str:
    """The accepted values in words, with their limits: 'whole number, at least 1'."""
    is_short = any(isinstance(entry, BeforeValidator) for entry in field.metadata)
    models = section_models(field.annotation)
    start = ("number or " if models and not takes_name(models) else "name or ") * is_short
    return ", ".join([start + _words(field.annotation), *_limits(field)])


PLAIN = {int: "whole number", float: "number", str: "text", bool: "true or false"}


def _words(annotation: Any) -> str:
    if annotation in PLAIN:
        return PLAIN[annotation]
    models = section_models(annotation)
    origin, parts = get_origin(annotation), get_args(annotation)
    if models:
        return "list of tables" if origin is tuple else "table"
    if origin is Literal:
        return " | ".join(f'"{part}"' if isinstance(part, str) else str(part) for part in parts)
    if origin is tuple:
        count = "" if parts[-1] is Ellipsis else f"{len(parts)} "
        plural = f"{_words(parts[0])}s".replace("texts", "text")
        plural = plural.replace("table of numberss", "tables of numbers")
        return f"list of {count}{plural}"
    if origin is dict:
        return f"table of {_words(parts[1])}s"
    return next(_words(part) for part in parts if part is not NoneType)


LIMITS = (("ge", "at least"), ("gt", "more than"), ("le", "at most"), ("lt", "less than"))


def _limits(field: FieldInfo) -> Iterator[str]:
    for name, words in LIMITS:
        for limit in (getattr(entry, name, None) for entry in field.metadata):
            if limit is not None:
                yield f"{words} {limit}"
