"""`fluvial bench`: programs that measure."""

from __future__ import annotations

import inspect
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from fluvial.cli.output import aligned, say, say_json
from fluvial.core.errors import ConfigError
from fluvial.core.plain import finite

EXAMPLES = """\
Examples:

fluvial bench

fluvial bench NAME --json steps=200
"""


class BenchCommand(TyperCommand):
    """A command whose help ends with the names of the benchmarks, which are read only then."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        self.epilog = f"{EXAMPLES}\n\nBenchmarks: {', '.join(benchmarks())}"
        super().format_help(ctx, formatter)


def bench(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Which one; without it, they are listed.")
    ] = None,
    options: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Options of the benchmark.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run a benchmark and print what it measured."""
    known = benchmarks()
    if name is None:
        say("\n".join(f"{key:20}{purpose(function)}" for key, function in known.items()))
        return
    if name not in known:
        from fluvial.chem.choices import choose_name

        name = choose_name("benchmark", name, known)
    with ended_by_sigterm():
        measured = known[name](**keywords(known[name], options or []))
    if as_json:
        say_json(measured)
    else:
        say(aligned([(str(key), _shown(value)) for key, value in finite(measured).items()]))


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM leave the block as an error would, so that servers and workers in it are ended, too."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def benchmarks() -> Mapping[str, Callable[..., dict[str, Any]]]:
    """Name to benchmark."""
    from fluvial.bench.registry import BENCHMARKS

    return BENCHMARKS


def keywords(function: Callable[..., object], options: list[str]) -> dict[str, Any]:
    """The options as keyword arguments of the benchmark.

    Raises:
        ConfigError: an option is not of the form key=value, the benchmark has no such key, or the value is
            not of its kind.
    """
    from fluvial.config.overrides import apply_overrides

    given = apply_overrides({}, options)
    if given.complaints:
        raise ConfigError("\n".join(given.complaints))
    accepted = inspect.signature(function).parameters
    for key, value in given.data.items():
        if key not in accepted:
            raise ConfigError(f"this benchmark has no option '{key}'; it has {', '.join(accepted) or 'none'}")
        kind = type(accepted[key].default)
        if kind is str and type(value) in (int, float):
            given.data[key] = value = str(value)
        fits = isinstance(value, kind) or (kind is float and type(value) is int)
        if not fits or (kind is int and value < (key == "seeds")):
            raise ConfigError(
                f"{key} = {value!r}: must be of the kind of its default, {accepted[key].default!r}"
            )
    return given.data


def purpose(function: Callable[..., object]) -> str:
    """The first paragraph of the documentation of a function, on one line."""
    return " ".join((inspect.getdoc(function) or "").split("\n\n", 1)[0].split())


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
