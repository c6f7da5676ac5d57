"""Which changes of a configuration a resumed run can take."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from fluvial.config.condition import LearnedFocusConfig
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
    "env.workers",
    "reward.workers",
    "reward.timeout_seconds",
    "queue",
)
"""Keys and sections that do not define what is learned."""
FORMULA_KEY = re.compile(r"reward\.(combine|floor|term\.\d+\.(weight|transform)(\..+)?)")
"""What becomes of raw values; stored objects get new rewards when it changes."""
FORMULA_BITS = 60
BUDGET_KEY = re.compile(r"reward\.term\.\d+\.max_calls")


def allowed(config: RunConfig) -> str:
    """What a resumed run may change, and why its formula may not where it may not."""
    keys = ", ".join(CHANGEABLE)
    if _can_be_rescored(config):
        formula = "reward.combine, reward.floor, weight, transform and max_calls of each reward.term"
        return f"Only {keys}, {formula} may change"
    return (
        f"Only {keys} and max_calls of each reward.term may change, because reward.diversity and a"
        " learned condition.focus remember rewards of the old formula"
    )


def resume_difference(old: RunConfig, new: RunConfig) -> list[str]:
    """A sentence for each key that `new` changes but a resumed run must not; empty if it can be resumed."""
    before, after = _fixed(old), _fixed(new)
    if not _can_be_rescored(new):
        before, after = before | _formula(old), after | _formula(new)
    keys = [*before, *(key for key in after if key not in before)]
    return [
        f"{key} is {_words(after, key)}, but the run was started with {_words(before, key)}"
        for key in keys
        if (key in before) != (key in after) or before[key] != after[key]
    ]


def formula_of(config: RunConfig) -> int | None:
    """A number of 60 bits that stands for how raw values become rewards; None without reward terms."""
    if config.reward is None:
        return None
    text = json.dumps([config.term_names, _formula(config)], sort_keys=True)
    return int(sha256(text.encode()).hexdigest()[: FORMULA_BITS // 4], 16)


def _can_be_rescored(config: RunConfig) -> bool:
    """Whether nothing else that a run remembers was made of rewards."""
    is_diverse = config.reward is not None and config.reward.diversity is not None
    return not is_diverse and not isinstance(config.condition.focus, LearnedFocusConfig)


def _words(values: dict[str, Any], key: str) -> str:
    return shown(values[key]) if key in values else "nothing"


def _fixed(config: RunConfig) -> dict[str, Any]:
    """Dotted key to plain value, without the keys that may change and those that are not set."""
    return {
        key: value
        for key, value in _all(config).items()
        if not _may_change(key) and not FORMULA_KEY.fullmatch(key)
    }


def _formula(config: RunConfig) -> dict[str, Any]:
    return {key: value for key, value in _all(config).items() if FORMULA_KEY.fullmatch(key)}


def _all(config: RunConfig) -> dict[str, Any]:
    return dict(_flat("", config.model_dump(mode="json", exclude_none=True)))


def _may_change(key: str) -> bool:
    if BUDGET_KEY.fullmatch(key):
        return True
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
