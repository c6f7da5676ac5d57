"""What evaluates objects for a worker, by the name of a way to do so."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fluvial.chem.molecules import parse_smiles
from fluvial.core.errors import ConfigError, DataError
from fluvial.queue.jobs import Result
from fluvial.queue.worker import Evaluator, ShouldStop
from fluvial.rewards.answers import result_of
from fluvial.rewards.function import split_spec
from fluvial.rewards.function_server import function_process
from fluvial.rewards.http_service import HttpService
from fluvial.rewards.kept_process import KeptProcess
from fluvial.rewards.one_shot import OneShotCommand
from fluvial.rewards.simulated import parse_options
from fluvial.rewards.terms import Term

TOKEN_VARIABLE = "FLUVIAL_HTTP_TOKEN"  # noqa: S105 - the name of a variable


@dataclass(frozen=True)
class TermEvaluator:
    """An `Evaluator` that measures a term here, a batch at a time."""

    term: Term
    reads_molecules: bool = True

    def evaluate(self, texts: Mapping[str, str], should_stop: ShouldStop) -> Iterator[tuple[str, Result]]:
        """See `Evaluator.evaluate`."""
        readable, molecules = [], []
        for key, text in texts.items():
            try:
                molecules += [parse_smiles(text)] if self.reads_molecules else []
            except DataError as error:
                yield key, Result(reason=str(error))
            else:
                readable.append(key)
        if readable:
            rows = self.term.raw([texts[key] for key in readable], molecules)
            yield from zip(readable, map(result_of, rows), strict=True)

    def close(self) -> None:
        """Nothing."""


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


def _function(spec: str, timeout_seconds: float | None, base: Path) -> Evaluator:
    # It is loaded in its own process only, which it may end.
    path = base / split_spec(spec)[0]
    if not path.is_file():
        raise ConfigError(f"{path}: no such file (looked for {path.resolve()})")
    return function_process(spec, base, timeout_seconds)


def _kept(command: str, timeout_seconds: float | None, base: Path) -> Evaluator:
    return KeptProcess(words_of(command), timeout_seconds, folder=base)


def _once(command: str, timeout_seconds: float | None, base: Path) -> Evaluator:
    return OneShotCommand(words_of(command), timeout_seconds, base)


def _http(url: str, timeout_seconds: float | None, base: Path) -> Evaluator:
    return HttpService(url, os.environ.get(TOKEN_VARIABLE, ""), timeout_seconds)


def _simulated(options: str, timeout_seconds: float | None, base: Path) -> Evaluator:
    return parse_options(options)


EVALUATORS: dict[str, Callable[[str, float | None, Path], Evaluator]] = {
    "function": _function,
    "exec": _kept,
    "once": _once,
    "http": _http,
    "simulate": _simulated,
}
"""Option of `fluvial worker`, or key of a term, to what evaluates: of a value, the longest silence in seconds
(None for any), and the folder in which relative paths start."""
