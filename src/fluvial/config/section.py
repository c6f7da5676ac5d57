"""The record that every section of a run file is made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

CONTRADICTION = "contradiction"
"""Type of the error that a section raises when its keys do not fit each other."""

KIND = "Which kind it is; the keys beside it depend on it."

MAX_TEXT = 2000
"""Longest text, in characters. Arbitrary: ten times a long SMILES."""

LEFT_OUT = "x-left-out"
"""Mark in the JSON Schema of a key that is filled in by another one."""

Problem = tuple[str, str]
"""A key relative to the section that reports it, and a sentence that begins with 'must' or the like."""


class Section(BaseModel):
    """A frozen table of keys: unknown keys, wrong types, infinities and contradictions are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True
    )

    def contradictions(self) -> Iterator[Problem]:
        """What is wrong between keys that are each valid; a section adds its own."""
        yield from ()

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        problems = list(self.contradictions())
        if problems:
            text = "; ".join(f"{key} {sentence}" for key, sentence in problems)
            found = [(path := key_path(key), _at(self, path), sentence) for key, sentence in problems]
            raise PydanticCustomError(CONTRADICTION, "{text}", {"text": text, "problems": found})
        return self

    def parameters(self) -> dict[str, Any]:
        """The keys besides `kind` as plain Python values, to pass on to the function that `kind` names."""
        return self.model_dump(exclude={"kind"})


class NamedSection(Section):
    """A section that may be written as the name of its kind alone."""

    kind: str = Field(description=KIND)

    @property
    def name_alone(self) -> str | None:
        """The name of the kind where it says all, because every other key is at its default; else None."""
        fields = type(self).model_fields
        others = [name for name in fields if name != "kind"]
        return self.kind if all(getattr(self, name) == fields[name].default for name in others) else None


def by_name(tables: Any, default: str) -> BeforeValidator:
    """Lets the name of a kind stand for its table, and a table without `kind` for one of the kind `default`.

    Args:
        tables: the annotated union of the named sections.
        default: the kind where none is given.
    """
    kinds = [get_args(model.model_fields["kind"].annotation)[0] for model in get_args(get_args(tables)[0])]

    def table(value: Any) -> Any:
        if isinstance(value, str) and value in kinds:
            return {"kind": value}
        return {"kind": default, **value} if isinstance(value, dict) else value

    name = Annotated[str, WithJsonSchema({"type": "string", "enum": kinds})]
    return BeforeValidator(table, json_schema_input_type=name | tables)


def is_number(value: Any) -> bool:
    """Whether the value stands for a constant, where a key takes a number or a table.

    Raises:
        ValueError: it is neither number nor table.
    """
    if isinstance(value, dict | Section):
        return False
    if isinstance(value, int | float) and not isinstance(value, bool):
        return True
    raise ValueError("must be a number or a table {...}")


def key_path(key: str) -> tuple[str | int, ...]:
    """The parts of a dotted key, positions in lists as numbers."""
    return tuple(int(part) if part.isdigit() else part for part in key.split("."))


def _at(section: Section, path: tuple[str | int, ...]) -> Any:
    value: Any = section
    for part in path:
        value = value[part] if isinstance(part, int) else getattr(value, part)
    return value


def matching(pattern: str, sentence: str) -> Callable[[str], str]:
    """A check that returns its text, or raises ValueError(`sentence`) unless `pattern` fits all of it."""
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if compiled.fullmatch(text) is None:
            raise ValueError(sentence)
        return text

    return check


def filled(words: str) -> dict[str, JsonValue]:
    """Marks a field without a plain default that may still be left out; `words` say what it is then."""
    return {LEFT_OUT: words}


Text = Annotated[
    str,
    Field(max_length=MAX_TEXT),
    AfterValidator(matching(r"(?s)(?=.*\S)[^\0]*", "must have a visible character and no NUL")),
]
"""Text with at least one visible character, no NUL, of sane length."""


def order(low: float | None, high: float | None, equal: bool = False) -> Iterator[Problem]:
    """The complaint about `high` where both ends of a range are given and not in order."""
    if low is None or high is None or low < high or (equal and low == high):
        return
    yield "high", f"must be {'at least' if equal else 'more than'} low = {low:g}"
