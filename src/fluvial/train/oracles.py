"""From queued reward terms to what is asked of workers, and to what answers it. Works without torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fluvial.config.choices import IN_MEMORY
from fluvial.config.run_config import RunConfig
from fluvial.config.terms import WAYS
from fluvial.core.errors import ConfigError
from fluvial.oracles.tool import open_tool, tool_process
from fluvial.queue.jobs import Oracle
from fluvial.queue.worker import Evaluator
from fluvial.rewards.evaluators import EVALUATORS, TermEvaluator
from fluvial.rewards.queued import QueuedTerms
from fluvial.rewards.terms import Term
from fluvial.train.terms import build_terms

APPEARANCE = {"name", "weight", "transform", "queued", "output", "max_calls", *WAYS}
"""Keys of a term that change what becomes of its answers, or who gives them, but not the answers."""


def build_queued(config: RunConfig, base: Path, terms: tuple[Term, ...]) -> QueuedTerms | None:
    """The queued ones of the terms of a reward; None where there are none."""
    oracles = {term.name: oracle_of(term, base) for term in config.queued_terms}
    chosen = [term for term in terms if term.name in oracles]
    if not chosen:
        return None
    return QueuedTerms(chosen, oracles, config.queue.order == "newest", budgets_of(config, base))


def budgets_of(config: RunConfig, base: Path) -> dict[str, int]:
    """The most calls of oracles that have a budget, by fingerprint; of several terms the smallest counts."""
    budgets: dict[str, int] = {}
    for term in config.queued_terms:
        if term.max_calls is not None:
            key = oracle_of(term, base).fingerprint
            budgets[key] = min(term.max_calls, budgets.get(key, term.max_calls))
    return budgets


def oracle_of(term: Any, base: Path) -> Oracle:
    """What is asked about the objects of a queued term.

    A function is asked by its file's content, whatever folder that is in, so that machines with other paths
    answer the same oracle.

    Raises:
        ConfigError: a function is in no file.
    """
    if term.kind == "oracle" and term.target is not None:
        return open_tool(base / term.target).oracle()
    if term.kind == "oracle":
        return Oracle(term.oracle, term.options, term.version or "")
    if term.kind == "function":
        file, _, name = term.function.rpartition(":")
        if f"{file}" == IN_MEMORY:
            raise ConfigError(
                f"reward term '{term.name}' is queued, and its function is in no file that a worker could"
                " load; write it into one, as function = 'reward.py:score'"
            )
        return Oracle(name, {"file": Path(file).name}, term.version or digest(base / file))
    options = term.model_dump(mode="json", exclude=APPEARANCE | {"kind", "file"}, exclude_none=True)
    file = getattr(term, "file", None)
    return Oracle(term.kind, options, version("fluvial") if file is None else digest(base / file))


def digest(file: Path) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a file.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return sha256(file.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror} (looked for {file.resolve()})") from None


@dataclass(frozen=True)
class Answerer:
    """An oracle of a run and what answers it."""

    oracle: Oracle
    make: Callable[[], Evaluator]
    """A new evaluator each time."""


def answerers(config: RunConfig, base: Path) -> list[Answerer]:
    """What answers the queued terms of a run, once for each oracle; people's oracles are left out."""
    terms = {term.name: term for term in build_terms(config, base, {})}
    found: dict[str, Answerer] = {}
    for term in config.queued_terms:
        oracle, make = oracle_of(term, base), maker(config, term, terms[term.name], base)
        if make is not None:
            found.setdefault(oracle.fingerprint, Answerer(oracle, make))
    return list(found.values())


def maker(config: RunConfig, term: Any, built: Term, base: Path) -> Callable[[], Evaluator] | None:
    """What makes evaluators of a queued term; None where people, or other workers, answer it."""
    timeout = config.queue.timeout_seconds
    if term.kind == "function":
        return lambda: ANSWERERS["function"](term.function, timeout, base)
    if term.kind != "oracle":
        return lambda: TermEvaluator(built, config.is_molecular)
    chosen = [name for name in WAYS if getattr(term, name) is not None]
    if not chosen:
        return None
    return lambda: ANSWERERS[chosen[0]](getattr(term, chosen[0]), timeout, base)


def _target(file: str, timeout_seconds: float | None, base: Path) -> Evaluator:
    open_tool(base / file)  # its problems are said before anything is claimed
    return tool_process(base / file, timeout_seconds)


ANSWERERS = EVALUATORS | {"target": _target}
"""Option of `fluvial worker`, or key of a term, to what evaluates; see `EVALUATORS`."""
