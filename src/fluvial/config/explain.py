"""What each key means, for people and for editors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from pydantic.fields import FieldInfo

from fluvial.config.chemistry import property_texts
from fluvial.config.errors import nearest
from fluvial.config.run_config import RunConfig
from fluvial.config.section import LEFT_OUT, Section
from fluvial.config.walk import (
    PROPERTY,
    entries,
    first_sentence,
    kind_of,
    section_models,
    type_words,
    words_of,
)
from fluvial.config.write import brief, comment_lines, toml_value
from fluvial.core.errors import ConfigError

COLUMN = 34
"""Where the text starts in a list of keys, in characters."""


def explain(key: str | None = None) -> str:
    """Type, default and meaning of a key as `algo.batch`; the keys of a section; or all sections.

    Raises:
        ConfigError: there is no such key; the nearest one is named.
    """
    if key is None:
        return "\n".join(["Keys of a configuration file:", "", *_listing(RunConfig)])
    path = ".".join(part for part in key.strip().split(".") if not part.isdigit())
    found = [(model, field) for name, model, field in entries(RunConfig) if name == path]
    if not found:
        raise ConfigError(_no_such_key(key))
    field = found[0][1]
    models = section_models(field.annotation)
    if models:
        return "\n".join(_section(path, field, models))
    if path.endswith("kind") and len({kind_of(owner) for owner, _ in found}) > 1:
        return "\n".join(_kinds(path, [owner for owner, _ in found]))
    return "\n\n".join("\n".join(_leaf(path, field, kinds)) for field, kinds in _different(found))


def json_schema() -> dict[str, Any]:
    """JSON Schema of a configuration file, by which editors complete and check keys."""
    schema = RunConfig.model_json_schema()
    for part in (schema, *schema["$defs"].values()):
        filled = [name for name, entry in part.get("properties", {}).items() if LEFT_OUT in entry]
        part["required"] = [name for name in part.get("required", []) if name not in filled]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Fluvial run"}


def _different(found: list[tuple[type[Section], FieldInfo]]) -> Iterator[tuple[FieldInfo, list[str]]]:
    """Each distinct explanation once, with the kinds that it holds for; kinds often share a key."""
    fields: dict[tuple[str | None, str, str], FieldInfo] = {}
    kinds: defaultdict[tuple[str | None, str, str], list[str]] = defaultdict(list)
    for model, field in found:
        text = (field.description, type_words(field), _default(field))
        fields[text] = field
        if "kind" in model.model_fields and kind_of(model) not in kinds[text]:
            kinds[text].append(kind_of(model))
    for text, field in fields.items():
        yield field, kinds[text]


def _leaf(path: str, field: FieldInfo, kinds: list[str]) -> Iterator[str]:
    yield path
    if kinds and kinds != [PROPERTY]:
        yield f"  in kind  {', '.join(kinds)}"
    yield f"  type     {type_words(field)}"
    yield f"  default  {_default(field)}"
    if field.examples:
        yield f"  example  {toml_value(field.examples[0])}"
    yield from (f"  {line[2:]}" for line in comment_lines(field.description or ""))


def _section(path: str, field: FieldInfo, models: tuple[type[Section], ...]) -> Iterator[str]:
    default = _default(field)
    is_listed = len(models) == 1 and default.startswith("{")  # its keys come below, with their defaults
    yield f"{path}   {type_words(field)}{'' if is_listed else f'; default {default}'}"
    yield from (f"  {line[2:]}" for line in comment_lines(field.description or ""))
    for model in models:
        yield ""
        if len(models) > 1:
            kind = "the name of a property" if kind_of(model) == PROPERTY else f'"{kind_of(model)}"'
            first, *others = comment_lines(f"kind = {kind}: {words_of(model)}")
            yield from (first[2:], *(f"  {line[2:]}" for line in others))
        yield from _listing(model)


def _kinds(path: str, models: list[type[Section]]) -> Iterator[str]:
    yield f"{path}   one of:"
    for model in dict.fromkeys(models):
        if kind_of(model) == PROPERTY:
            rows = property_texts()
        else:
            rows = {kind_of(model): first_sentence(model.__doc__ or "")}
        yield from (f"  {name:{COLUMN - 4}}  {text}" for name, text in rows.items())


def _listing(model: type[Section]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if name != "kind" or kind_of(model) == PROPERTY:
            shown = f"{name} = {_default(field)}"
            start = f"  {shown if len(shown) < COLUMN - 2 else name:{COLUMN - 4}}"
            yield f"{start}  {first_sentence(field.description or '')}"


def _default(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    if isinstance(extra, dict) and LEFT_OUT in extra:
        return f"({extra[LEFT_OUT]})"
    if field.is_required():
        return "(needed)"
    default = field.get_default(call_default_factory=True)
    return "(not set)" if default is None else toml_value(brief(default))


def _no_such_key(key: str) -> str:
    names = list(dict.fromkeys(name for name, _, _ in entries(RunConfig)))
    last = key.rsplit(".", 1)[-1]
    same = [name for name in names if name.rsplit(".", 1)[-1] == last]
    guess = nearest(key, names)
    guesses = list(dict.fromkeys([*([guess] if guess else []), *same]))[:3]
    if guesses:
        return f"There is no key '{key}' - did you mean {' or '.join(map(repr, guesses))}?"
    return f"There is no key '{key}'; the sections are {', '.join(RunConfig.model_fields)}."
