"""What the options of `fluvial worker` evaluate with."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fluvial.core.errors import ConfigError

if TYPE_CHECKING:
    from fluvial.queue.worker import Evaluator

TOKEN_VARIABLE = "FLUVIAL_HTTP_TOKEN"  # noqa: S105 - the name of a variable


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
        return KINDS[self.option](self.value, self.timeout_seconds)


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


def words_of(command: str) -> list[str]:
    """Program and arguments; no shell will see them.

    Raises:
        ConfigError: the program is not there, or quotes do not match.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ConfigError(f"{command}: {error}") from None
    if not words or shutil.which(words[0]) is None:
        raise ConfigError(f"{words[0] if words else 'an empty command'}: there is no such program")
    return words


def _function(spec: str, timeout_seconds: float | None) -> Evaluator:
    from fluvial.rewards.function import split_spec
    from fluvial.rewards.function_server import function_process

    # It is loaded in its own process only, which it may end.
    path, _ = split_spec(spec)
    if not Path(path).is_file():
        raise ConfigError(f"{path}: no such file (looked for {Path(path).resolve()})")
    return function_process(spec, Path(), timeout_seconds)


def _kept(command: str, timeout_seconds: float | None) -> Evaluator:
    from fluvial.rewards.kept_process import KeptProcess

    return KeptProcess(words_of(command), timeout_seconds)


def _once(command: str, timeout_seconds: float | None) -> Evaluator:
    from fluvial.rewards.one_shot import OneShotCommand

    return OneShotCommand(words_of(command), timeout_seconds)


def _http(url: str, timeout_seconds: float | None) -> Evaluator:
    from fluvial.rewards.http_service import HttpService

    return HttpService(url, os.environ.get(TOKEN_VARIABLE, ""), timeout_seconds)


def _target(file: str, timeout_seconds: float | None) -> Evaluator:
    from fluvial.oracles.tool import open_tool, tool_process

    open_tool(Path(file))  # its problems are said before anything is claimed
    return tool_process(Path(file), timeout_seconds)


def _simulated(options: str, timeout_seconds: float | None) -> Evaluator:
    from fluvial.rewards.simulated import parse_options

    return parse_options(options)


KINDS: dict[str, Callable[[str, float | None], Evaluator]] = {
    "function": _function,
    "exec": _kept,
    "once": _once,
    "http": _http,
    "target": _target,
    "simulate": _simulated,
}
"""Option to what evaluates."""
