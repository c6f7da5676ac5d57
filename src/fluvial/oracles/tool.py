"""What a tool is, and the tools by name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from fluvial.config.errors import choice_sentence, shown
from fluvial.config.file import read_toml
from fluvial.core.errors import ConfigError
from fluvial.queue.jobs import Oracle, Result
from fluvial.rewards.kept_process import KeptProcess


class Tool(Protocol):
    """Molecules to results, in the process that calls it."""

    def oracle(self) -> Oracle:
        """What is asked: all that changes an answer, with the content of files."""
        ...

    def check(self) -> None:
        """Nothing, if the tool can be run here.

        Raises:
            RewardError: it cannot.
        """
        ...

    def evaluate(self, texts: Mapping[str, str]) -> Iterator[tuple[str, Result]]:
        """A result for each molecule, in any order.

        Raises:
            FluvialError: the tool does not work at all.
        """
        ...


def open_tool(file: Path) -> Tool:
    """The tool of a target file.

    Raises:
        ConfigError: the file has problems.
        RewardError: the tool is not installed.
    """
    return TOOLS[_tool_of(file)](file)


def tool_process(file: Path, timeout_seconds: float | None = None) -> KeptProcess:
    """An `Evaluator` by a target file, in a process of its own.

    Raises:
        ConfigError: the file has problems.
    """
    _tool_of(file)
    command = [sys.executable, "-m", "fluvial.oracles.server", str(file.resolve())]
    return KeptProcess(command, timeout_seconds, names_culprits=True)


def _tool_of(file: Path) -> str:
    """The name of the tool of a target file."""
    if not file.is_file():
        raise ConfigError(f"{file}: there is no such target file")
    data, _ = read_toml(file)
    if data.get("tool") not in TOOLS:
        found = "" if "tool" not in data else f" = {shown(data['tool'])}"
        raise ConfigError(f"{file}: tool{found}: {choice_sentence(data.get('tool'), TOOLS)}")
    return str(data["tool"])


def _boltz(file: Path) -> Tool:
    from fluvial.oracles.boltz.oracle import BoltzOracle

    return BoltzOracle(file)


def _vina(file: Path) -> Tool:
    from fluvial.oracles.vina.oracle import VinaOracle

    return VinaOracle(file)


TOOLS: dict[str, Callable[[Path], Tool]] = {"boltz": _boltz, "vina": _vina}
"""Name in a target file to the tool."""
