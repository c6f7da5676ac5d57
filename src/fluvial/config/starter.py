"""The configuration file that a newcomer starts from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from fluvial.config.errors import Places, choice_sentence, report, troubles
from fluvial.config.kinds import POLICIES
from fluvial.config.reward import RewardConfig
from fluvial.config.run_config import RunConfig
from fluvial.config.section import KIND, Section
from fluvial.config.walk import first_sentence, is_list, kind_of, section_models, takes_name, type_words
from fluvial.config.write import brief, ordered, toml_value
from fluvial.core.errors import ConfigError

ACTIVE = {
    *(
        "format",
        "name",
        "env.kind",
        "env.items",
        "env.max_fragments",
        "env.max_atoms",
        "env.dimension",
        "env.side",
        "algo.batch",
    ),
    *(
        "algo.batch",
        "condition.beta",
        "reward.combine",
        "reward.term.name",
        "reward.term.kind",
        "reward.term.function",
    ),
    *("reward.term.to", "reward.term.smarts", "stop.steps"),
}
"""Keys that most people change first; the others are shown as comments."""

COLUMN = 36
"""Where the comment behind a key starts, in characters."""

NEED_TERMS = ("condition.target",)
"""Keys that are of no use where the environment has its own reward."""
NEED_QUEUED_TERMS = ("queue", "reward.term.version", "reward.term.max_calls")
"""Keys that are of no use where no reward term is queued."""

NEEDED_TERMS = {"set": ("function",)}
"""Terms of a starting file for environments that cannot do without."""

INTRODUCTION = """\
# A run of Fluvial: what to build, how to judge it, how long to learn.
# A line such as "#seed = 0" shows a key with its default; take the # away and change it.
# `fluvial config explain KEY` says more about each, as in `fluvial config explain algo.batch`.
"""


def starter_toml(env_kind: str, reward_terms: Sequence[str] = ()) -> str:
    """A commented TOML file with the few keys to change first; it can be run as it is, functions aside.

    Args:
        env_kind: kind of environment.
        reward_terms: kinds of reward terms; with none the default ones are written.

    Raises:
        ConfigError: there is no such environment or term, or the environment has its own reward.
    """
    if env_kind not in POLICIES:
        raise ConfigError(f"environment '{env_kind}': {choice_sentence(env_kind, POLICIES)}")
    env = RunConfig.model_fields["env"]
    data: dict[str, Any] = {"env": _with_needed(env, env_kind)}
    terms = reward_terms or NEEDED_TERMS.get(env_kind, ())
    if terms:
        data["reward"] = {"term": [_with_needed(RewardConfig.model_fields["term"], kind) for kind in terms]}
    try:
        config = RunConfig.model_validate(data)
    except ValidationError as error:
        raise ConfigError(report(troubles(error), Places("starting file"))) from None
    left_out = (*(() if config.reward else NEED_TERMS), *(() if config.queued_terms else NEED_QUEUED_TERMS))
    return "\n".join([INTRODUCTION, *_section("", config, left_out), ""])


def _with_needed(field: FieldInfo, kind: str) -> dict[str, Any]:
    """A section of the kind with an example for each key that it needs."""
    models = section_models(field.annotation)
    model = next((model for model in models if kind_of(model) == kind), None)
    return {**({} if model is None else _needed(model)), "kind": kind}


def _needed(model: type[Section]) -> dict[str, Any]:
    """An example for each key that a section needs."""
    fields = model.model_fields.items()
    return {name: field.examples[0] for name, field in fields if field.is_required() and field.examples}


def _section(path: str, section: Section, left_out: Sequence[str] = ()) -> Iterator[str]:
    tables = []
    for name in ordered(section):
        field, value = type(section).model_fields[name], getattr(section, name)
        key = f"{path}.{name}" if path else name
        if key in left_out:
            continue
        if is_list(field) and not value:
            tables += ["", *_example(key, section_models(field.annotation)[0])]
        elif is_list(field):
            for item in value:
                tables += ["", f"[[{key}]]", *_section(key, item, left_out)]
        elif isinstance(value, Section) and not path:
            tables += ["", f"[{key}]", *_section(key, value, left_out)]
        else:
            yield from _line(key, section, value)
    yield from tables


def _example(key: str, model: type[Section]) -> Iterator[str]:
    """A table of this kind with its defaults, all as comments."""
    yield f"#[[{key}]]"
    kind = {"kind": kind_of(model)} if "kind" in model.model_fields else {}
    yield from _section(key, model.model_validate({**_needed(model), **kind}))


def _line(key: str, section: Section, value: Any) -> Iterator[str]:
    name = key.rsplit(".", 1)[-1]
    field = type(section).model_fields[name]
    if value is None:
        if not field.examples:
            return
        value = field.examples[0]
    text = f"{name} = {toml_value(brief(value))}"
    mark = "" if key in ACTIVE else "#"
    yield f"{mark + text:{COLUMN}}  # {_meaning(section, field)}"


def _meaning(section: Section, field: FieldInfo) -> str:
    """One sentence, with the choices where there are several."""
    if field.description == KIND:
        return first_sentence(type(section).__doc__ or "")
    sentence = first_sentence(field.description or "")
    choices = _choices(field)
    return f"{sentence[:-1]}: {choices}" if "|" in choices else sentence


def _choices(field: FieldInfo) -> str:
    """The words that the key takes, as it is written; empty where it takes any."""
    models = section_models(field.annotation)
    if takes_name(models):
        return " | ".join(toml_value(kind_of(model)) for model in models)
    return type_words(field) if get_origin(field.annotation) is Literal else ""
