"""`fluvial worker`: answer what is waiting in a queue."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from fluvial.cli.evaluators import chosen_kind
from fluvial.cli.options import AsJson
from fluvial.cli.output import say, say_json
from fluvial.config.queue import QueueConfig
from fluvial.core.errors import ConfigError

if TYPE_CHECKING:
    from fluvial.queue.jobs import WorkerState
    from fluvial.queue.sql_queue import SqlQueue
    from fluvial.queue.worker import Evaluator, WorkerSettings

EXAMPLES = """\
Examples:

fluvial worker runs/design -j 4

fluvial worker jobs.db --function reward.py:score

fluvial worker jobs.db --exec "/opt/dock/bin/python dock.py" -j 4 --batch 8 --timeout 600

fluvial worker postgresql://me@host/fluvial --http http://127.0.0.1:8000/score --idle-exit 600

fluvial worker jobs.db --target tyk2.toml

fluvial worker jobs.db --simulate latency=0.5,failures=0.1

SIGTERM and Ctrl-C end it: what is known is told, other jobs are given back.
"""

WAIT_SECONDS = 0.5

Place = Annotated[
    str, typer.Argument(metavar="FILE|URL", help="File or PostgreSQL URL of a queue, or folder of a run.")
]
OracleName = Annotated[
    str | None,
    typer.Option("--oracle", metavar="NAME", help="What is answered, if the queue has several oracles."),
]


def worker(  # noqa: PLR0913 - the options of a command
    place: Place,
    function: Annotated[
        str | None, typer.Option(metavar="FILE:NAME", help="A Python function, as in a configuration.")
    ] = None,
    command: Annotated[
        str | None, typer.Option("--exec", metavar="COMMAND", help="A program that answers lines of JSON.")
    ] = None,
    once: Annotated[
        str | None, typer.Option(metavar="COMMAND", help="A program for each batch: SMILES in, JSON out.")
    ] = None,
    http: Annotated[
        str | None, typer.Option(metavar="URL", help="A service; a token goes into FLUVIAL_HTTP_TOKEN.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="FILE", help="A target file of a tool, such as Boltz.")
    ] = None,
    simulate: Annotated[
        str | None, typer.Option(metavar="OPTIONS", help="Made-up values: latency=1,failures=0.1,noise=0.1.")
    ] = None,
    oracle: OracleName = None,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="Evaluations at the same time.")] = 1,
    batch: Annotated[
        int | None, typer.Option(min=1, help="Objects that are claimed at once; as in the run, or 16.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Longest silence of a program.")
    ] = None,
    lease: Annotated[
        float | None,
        typer.Option(min=1.0, metavar="SECONDS", help="Others take over after so long without a sign."),
    ] = None,
    idle_exit: Annotated[
        float | None, typer.Option(min=0.0, metavar="SECONDS", help="End after so long without a job.")
    ] = None,
    attempts: Annotated[
        int | None, typer.Option(min=1, help="Tries of an object that breaks the evaluation; else 3.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="End together with the process that started it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Answer the objects that wait in a queue.

    Given the folder of a run, it answers all of its queued reward terms as the configuration says; options
    that say how are for other queues, and for one oracle of a run.

    What is wrong with an object is told as a failure of that object. What breaks the evaluation (a crash, a
    time-out) is tried again, alone and after a rest, and ends as a dead letter.
    """
    from fluvial.queue.database import shown
    from fluvial.queue.jobs import Retries
    from fluvial.queue.opening import open_queue
    from fluvial.train.saved import place_of

    given = {"function": function, "exec": command, "once": once, "http": http, "target": target}
    given["simulate"] = simulate
    is_told = any(value is not None for value in given.values())
    plan = None if is_told else plan_of_run(place, oracle)
    kind = chosen_kind(given, timeout) if plan is None else None
    chosen = QueueConfig() if plan is None else plan.queue
    stop = threading.Event()
    catch_signals(stop)
    if follow:
        end_with_parent(stop)
    # A worker may be there before the first object.
    retries = Retries(max_attempts=attempts or chosen.attempts)
    with closing(open_queue(place_of(place), retries=retries)) as queue:
        makers = {} if plan is None else plan.makers
        if kind is not None:
            fingerprint = await_oracle(queue, oracle, target, stop, idle_exit)
            if fingerprint is None:
                if not as_json and not stop.is_set():
                    what = "nothing" if target is None else f"nothing that {target} answers"
                    say(f"{what} was ever asked in {shown(place)}; ask with `fluvial queue submit`")
                return
            makers = {fingerprint: kind.make}
        settings = settings_for(makers, batch or chosen.batch, lease or chosen.lease_seconds, idle_exit)
        tasks = [(settings[key], make) for key, make in makers.items() for _ in range(jobs)]
        states = work_in_threads(queue, tasks, stop)
    values, failures = sum(one.n_values for one in states), sum(one.n_failures for one in states)
    if as_json:
        say_json({"event": "end", "values": values, "failures": failures})
    else:
        say(f"{values} answered, {failures} failed")


def settings_for(
    oracles: Iterable[str], batch: int, lease_seconds: float, idle_exit_seconds: float | None
) -> dict[str, WorkerSettings]:
    """How workers answer each oracle, by fingerprint."""
    from fluvial.queue.worker import WorkerSettings

    return {key: WorkerSettings(key, batch, lease_seconds, idle_exit_seconds) for key in oracles}


@dataclass(frozen=True)
class Plan:
    """How the workers of a run work."""

    queue: QueueConfig
    makers: dict[str, Callable[[], Evaluator]]
    """Fingerprint of an oracle to what makes evaluators for it."""


def plan_of_run(place: str, oracle: str | None) -> Plan | None:
    """How the configuration of a run answers its queued terms; None where `place` is no run.

    Raises:
        ConfigError: the run has no queued term that says how it is evaluated.
    """
    from fluvial.config.terms import WAYS
    from fluvial.train.oracles import answerers
    from fluvial.train.saved import run_at, saved_configuration

    directory = run_at(place)
    if directory is None:
        return None
    saved = saved_configuration(directory)
    found = [one for one in answerers(saved.config, saved.base) if oracle in (None, one.oracle.name)]
    if not found:
        named = "" if oracle is None else f" of oracle '{oracle}'"
        raise ConfigError(
            f"{place} has no queued reward term{named} that says how it is evaluated; set queued = true for"
            f" a term, give an oracle one of {', '.join(WAYS[:-1])} or {WAYS[-1]}, or use an option such as"
            " --function"
        )
    return Plan(saved.config.queue, {one.oracle.fingerprint: one.make for one in found})


def end_with_parent(stop: threading.Event) -> None:
    """Set `stop` when the process that started this one is gone."""
    parent = os.getppid()

    def watch() -> None:
        while not stop.wait(WAIT_SECONDS):
            if os.getppid() != parent:
                stop.set()

    threading.Thread(target=watch, daemon=True).start()


def await_oracle(
    queue: SqlQueue,
    wanted: str | None,
    target: str | None,
    stop: threading.Event,
    idle_exit_seconds: float | None,
) -> str | None:
    """Fingerprint of the oracle to answer, as soon as somebody asks it; None if nobody does.

    A target file answers its own oracle and no other, because what it answers is kept for good.

    Raises:
        ConfigError: several fit, or `wanted` is not what the target file answers.
    """
    own = None if target is None else oracle_of_target(target, wanted)
    waited, is_told = 0.0, False
    while not stop.is_set():
        asked = queue.oracles()
        found = oracle_of(queue, wanted) if own is None else own if own in asked else None
        if own is not None and found is None and asked and not is_told:
            others = ", ".join(f"{one.name} ({key[:8]})" for key, one in asked.items())
            typer.echo(f"waiting until somebody asks {target} ({own[:8]}); the queue asks {others}", err=True)
            is_told = True
        if found is not None or (idle_exit_seconds is not None and waited >= idle_exit_seconds):
            return found
        stop.wait(WAIT_SECONDS)
        waited += WAIT_SECONDS
    return None


def oracle_of_target(target: str, wanted: str | None) -> str:
    """Fingerprint of the oracle of a target file.

    Raises:
        ConfigError: the file has problems, or `wanted` names another oracle.
    """
    from fluvial.oracles.tool import open_tool
    from fluvial.queue.summary import find_oracle

    own = open_tool(Path(target)).oracle()
    if wanted is not None and find_oracle({own.fingerprint: own}, wanted) is None:
        raise ConfigError(
            f"--oracle {wanted}: {target} answers {own.name} ({own.fingerprint[:8]}); leave --oracle out, or"
            " name the target file with which it was asked"
        )
    return own.fingerprint


def oracle_of(queue: SqlQueue, wanted: str | None) -> str | None:
    """Fingerprint of the oracle that a name or the beginning of a fingerprint means.

    Raises:
        ConfigError: several fit.
    """
    from fluvial.queue.summary import find_oracle

    try:
        return find_oracle(queue.oracles(), wanted)
    except LookupError as error:
        raise ConfigError(f"the queue has several oracles: {error}. Choose with --oracle.") from None


def work_in_threads(
    queue: SqlQueue,
    tasks: Sequence[tuple[WorkerSettings, Callable[[], Evaluator]]],
    stop: threading.Event,
) -> list[WorkerState]:
    """What each worker did, one for each of `tasks`; if one cannot work, all stop.

    Raises:
        FluvialError: what stopped the first of them.
    """
    from fluvial.queue.worker import work

    states: list[WorkerState] = []
    errors: list[BaseException] = []

    def run(number: int, settings: WorkerSettings, evaluator: Evaluator) -> None:
        name = f"{socket.gethostname()}-{os.getpid()}-{number}"
        try:
            states.append(work(queue, evaluator, name, settings, stop))
        except BaseException as error:
            errors.append(error)
            stop.set()

    with ExitStack() as stack:
        threads = [
            threading.Thread(target=run, args=(number, settings, stack.enter_context(closing(make()))))
            for number, (settings, make) in enumerate(tasks)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]
    return states


def catch_signals(stop: threading.Event) -> None:
    """Set `stop` at the first SIGTERM or SIGINT; a second one ends the process at once."""
    if threading.current_thread() is not threading.main_thread():
        return

    def receive(number: int, frame: FrameType | None) -> None:
        stop.set()
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, receive)
