"""Which changes of a configuration a resumed run can take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fluvial.config.errors import shown
from fluvial.config.run_config import RunConfig

CHANGEABLE = (
    "name",
    "out",
    "device",
    "threads",
    "stop",
    "log",
    "evaluate",
    "reward.workers",
    "reward.timeout_seconds",
    "queue",
)
"""Keys and sections that do not define what is learned."""


def resume_difference(old: RunConfig, new: RunConfig) -> list[str]:
    """A sentence for each key that `new` changes but a resumed run must not; empty if it can be resumed."""
    before, after = _fixed(old), _fixed(new)
    keys = [*before, *(key for key in after if key not in before)]
    return [
        f"{key} is {_words(after, key)}, but the run was started with {_words(before, key)}"
        for key in keys
        if (key in before) != (key in after) or before[key] != after[key]
    ]


def _words(values: dict[str, Any], key: str) -> str:
    return shown(values[key]) if key in values else "nothing"


def _fixed(config: RunConfig) -> dict[str, Any]:
    """Dotted key to plain value, without the keys that may change and those that are not set."""
    values = dict(_flat("", config.model_dump(mode="json", exclude_none=True)))
    return {key: value for key, value in values.items() if not _may_change(key)}


def _may_change(key: str) -> bool:
    return any(key == free or key.startswith(f"{free}.") for free in CHANGEABLE)


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(f"{path}.{name}" if path else name, inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _flat(f"{path}.{index}", inner)
    else:
        yield path, value
