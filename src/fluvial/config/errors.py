"""What is wrong with a configuration, as sentences for its writer."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from fluvial.config.lines import KeyPath
from fluvial.config.run_config import RunConfig
from fluvial.config.section import CONTRADICTION, NamedSection, Section
from fluvial.config.walk import PROPERTY, entries, first_sentence, kind_of, locate, takes_name
from fluvial.core.plain import masked

MAX_SHOWN = 60
"""Longest piece of a value that a message repeats, in characters."""

AFTER_ALL_LINES = 2**32
"""Sorts arguments of the command line behind the lines of any file."""

Trouble = tuple[KeyPath, str]
"""Where something is wrong, and the sentence about it."""


@dataclass(frozen=True)
class Places:
    """Where the keys of a configuration were written."""

    origin: str
    """Name of the file, as the user gave it."""
    lines: dict[KeyPath, int] = field(default_factory=dict)
    overrides: tuple[tuple[KeyPath, str], ...] = ()
    """Path of each key that was set on the command line, and the whole argument, in order."""

    def of(self, path: KeyPath) -> tuple[int, str]:
        """A number to sort by, and the place in words: the command line or the nearest line above the key."""
        keys = [key for key, _ in self.overrides]
        set_here = [index for index, key in enumerate(keys) if path[: len(key)] == key]
        if not set_here and path not in self.lines:
            set_here = [index for index, key in enumerate(keys) if key[: len(path)] == path]
        if set_here:
            return AFTER_ALL_LINES + set_here[-1], f"override {masked(self.overrides[set_here[-1]][1])!r}"
        line = next((self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), None)
        return (0, self.origin) if line is None else (line, f"{self.origin}:{line}")


def report(troubles: Iterable[Trouble], places: Places) -> str:
    """All troubles, one line each, in the order of the file."""
    lines = [(*places.of(path), sentence) for path, sentence in troubles]
    return "\n".join(f"{place}: {sentence}" for _, place, sentence in sorted(lines, key=lambda line: line[0]))


def troubles(error: ValidationError, root: type[Section] = RunConfig) -> Iterator[Trouble]:
    """What the check of a whole file found, by default of a configuration."""
    for detail in error.errors(include_url=False):
        kind = detail["type"]
        if kind == CONTRADICTION:
            yield from _contradictions(detail, root)
        elif kind == "missing" and detail["loc"] == ("policy",):
            continue  # the policy is filled in once [env] is right, and that is reported already
        elif kind == "too_short" and detail["input"]:
            continue  # items are there but wrong, and that is reported already
        else:
            yield SPECIAL.get(kind, _plain)(_Place(*locate(detail["loc"], root), root), detail)


def dotted(path: KeyPath) -> str:
    """A path as it is written in an override."""
    parts = [str(part) for part in path]
    return ".".join(part if re.fullmatch(r"[\w-]+", part) else json.dumps(part) for part in parts)


def shown(value: Any) -> str:
    """A value as it is written in a file, shortened; of a section with a name, the name."""
    if isinstance(value, NamedSection):
        value = value.kind
    if isinstance(value, dict | Section):
        return "{...}"
    try:
        text = masked(json.dumps(value, default=str, ensure_ascii=True))
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that looks most like `word`, if any does; swapped letters are the closest likeness."""
    by_form = {_form(name): name for name in known}
    swapped = [name for form, name in by_form.items() if sorted(form) == sorted(_form(word))]
    if swapped:
        return swapped[0]
    found = difflib.get_close_matches(_form(word), by_form, n=1, cutoff=0.6)
    return by_form[found[0]] if found else None


def choice_sentence(word: Any, known: Iterable[str]) -> str:
    """The accepted words, and the one that was probably meant."""
    words = list(known)
    guess = nearest(word, words) if isinstance(word, str) and len(words) > 1 else None
    listed = ", ".join(f"'{name}'" for name in words)
    start = f"must be {'one of ' if len(words) > 1 else ''}{listed}"
    return f"{start} - did you mean '{guess}'?" if guess else start


def unknown_key(path: KeyPath, known: Iterable[str], root: type[Section]) -> str:
    """The sentence about a key that its section does not have."""
    key, names = str(path[-1]), list(known)
    start = f"unknown key '{dotted(path)}'"
    guess = nearest(key, names)
    if guess is not None:
        return f"{start} - did you mean '{guess}'?"
    elsewhere = sorted({name for name, _, _ in entries(root) if name.rsplit(".", 1)[-1] == key})
    if elsewhere:
        return f"{start} - did you mean {' or '.join(repr(name) for name in elsewhere[:3])}?"
    return f"{start} - known keys here: {', '.join(names)}"


def _form(word: str) -> str:
    return word.lower().replace("-", "_")


def _contradictions(detail: ErrorDetails, root: type[Section]) -> Iterator[Trouble]:
    base, _ = locate(detail["loc"], root)
    for inner, value, sentence in detail["ctx"]["problems"]:
        path = (*base, *inner)
        yield path, f"{dotted(path)}{'' if value is None else f' = {shown(value)}'}: {sentence}"


Models = tuple[type[Section], ...]


@dataclass(frozen=True)
class _Place:
    """Where a validation error is."""

    path: KeyPath
    models: Models
    """Sections that may be there."""
    root: type[Section]
    """Of the whole file."""

    def owner(self, detail: ErrorDetails) -> type[Section]:
        """The section that the key is in."""
        return locate(detail["loc"][:-1], self.root)[1][0]


def _unknown(place: _Place, detail: ErrorDetails) -> Trouble:
    path = place.path
    siblings = _sibling_kinds(detail["loc"], place.root)
    if siblings:
        return path, f"unknown key '{dotted(path)}' - only kind = {' or '.join(siblings)} has it"
    return path, unknown_key(path, place.owner(detail).model_fields, place.root)


def _sibling_kinds(location: tuple[int | str, ...], root: type[Section]) -> list[str]:
    """Other kinds of the same section that do have the key at the end of `location`."""
    _, models = locate(location[:-2], root)
    return [f"'{kind_of(model)}'" for model in models[1:] and models if location[-1] in model.model_fields]


def _length(place: _Place, detail: ErrorDetails) -> Trouble:
    path = place.path
    least = int(detail["ctx"]["min_length"])
    sentence = "must not be empty" if least == 1 else f"must have at least {least} items"
    return path, f"{dotted(path)} = {shown(detail['input'])}: {sentence}"


def _missing(place: _Place, detail: ErrorDetails) -> Trouble:
    path, models = place.path, place.models
    if isinstance(path[-1], int):
        return path[:-1], f"{dotted(path[:-1])} = {shown(detail['input'])}: must have {path[-1] + 1} items"
    if len(models) > 1:
        return path, f"[{dotted(path)}] is missing: its kind {_kinds(models)}"
    description = place.owner(detail).model_fields[path[-1]].description
    return path, f"{dotted(path)} is missing{f': {first_sentence(description)}' if description else ''}"


def _kind(place: _Place, detail: ErrorDetails) -> Trouble:
    path, models = place.path, place.models
    given = detail["input"]
    if isinstance(given, str) and takes_name(models):
        return path, f"{dotted(path)} = {shown(given)}: {_kinds(models, given)}"
    if not isinstance(given, dict):
        form = "a name or a table" if takes_name(models) else "a table"
        return path, f"{dotted(path)} = {shown(given)}: must be {form}; its kind {_kinds(models)}"
    path = (*path, "kind")
    if "kind" not in given:
        return path, f"{dotted(path)} is missing: {_kinds(models)}"
    return path, f"{dotted(path)} = {shown(given['kind'])}: {_kinds(models, given['kind'])}"


def _kinds(models: Models, given: Any = None) -> str:
    sentence = choice_sentence(given, [kind_of(model) for model in models if kind_of(model) != PROPERTY])
    return f"{sentence}, or a property such as 'qed'" if PROPERTY in map(kind_of, models) else sentence


def _literal(place: _Place, detail: ErrorDetails) -> Trouble:
    path = place.path
    choices = _choices(place.owner(detail).model_fields[str(path[-1])].annotation)
    if not isinstance(choices[0], str):
        return path, f"{dotted(path)} = {shown(detail['input'])}: must be {choices[0]}"
    return path, f"{dotted(path)} = {shown(detail['input'])}: {choice_sentence(detail['input'], choices)}"


def _choices(annotation: Any) -> tuple[Any, ...]:
    """The values of a literal, also of one that may be left out."""
    parts = get_args(annotation)
    return parts if get_origin(annotation) is Literal else _choices(parts[0])


def _plain(place: _Place, detail: ErrorDetails) -> Trouble:
    path = place.path
    context = {name: _short(value) for name, value in detail.get("ctx", {}).items()}
    sentence = SENTENCES.get(detail["type"], detail["msg"]).format(**context)
    return path, f"{dotted(path)} = {shown(detail['input'])}: {sentence}"


def _short(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


SPECIAL: dict[str, Callable[[_Place, ErrorDetails], Trouble]] = {
    "extra_forbidden": _unknown,
    "missing": _missing,
    "union_tag_invalid": _kind,
    "union_tag_not_found": _kind,
    "model_attributes_type": _kind,
    "literal_error": _literal,
    "too_short": _length,
}

SENTENCES = {
    "value_error": "{error}",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be text, in quotes",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list [...]",
    "dict_type": "must be a table {{...}}",
    "model_type": "must be a section of keys",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "string_too_long": "must have at most {max_length} characters",
    "too_long": "must have at most {max_length} items",
}
"""Type of a validation error to its sentence."""
