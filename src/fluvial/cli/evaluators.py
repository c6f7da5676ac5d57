"""What the options of `fluvial worker` evaluate with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fluvial.core.errors import ConfigError

if TYPE_CHECKING:
    from fluvial.queue.worker import Evaluator


@dataclass(frozen=True)
class Kind:
    """The one way in which objects are evaluated."""

    option: str
    value: str
    timeout_seconds: float | None

    def make(self) -> Evaluator:
        """A new evaluator.

        Raises:
            ConfigError: the value cannot be meant.
            RewardError: it cannot be started.
        """
        from fluvial.train.oracles import ANSWERERS

        return ANSWERERS[self.option](self.value, self.timeout_seconds, Path())


def chosen_kind(given: dict[str, str | None], timeout_seconds: float | None) -> Kind:
    """The one way that was chosen.

    Raises:
        ConfigError: none or several were, or a number is out of range.
    """
    chosen = [(option, value) for option, value in given.items() if value is not None]
    options = ", ".join(f"--{option}" for option in given)
    if len(chosen) != 1:
        raise ConfigError(f"say how objects are evaluated, by one of {options}; there are {len(chosen)}")
    if timeout_seconds is not None and not timeout_seconds > 0.0:
        raise ConfigError(f"--timeout {timeout_seconds:g}: must be greater than 0")
    return Kind(*chosen[0], timeout_seconds)
