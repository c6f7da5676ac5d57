"""`fluvial worker`: answer what is waiting in a queue."""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import ExitStack, closing
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from fluvial.cli.evaluators import TOKEN_VARIABLE, Kind, chosen_kind
from fluvial.cli.options import AsJson
from fluvial.cli.output import say, say_json
from fluvial.core.errors import ConfigError

if TYPE_CHECKING:
    from fluvial.queue.jobs import WorkerState
    from fluvial.queue.sql_queue import SqlQueue
    from fluvial.queue.worker import Evaluator, WorkerSettings

EXAMPLES = """\
Examples:

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
        str | None, typer.Option(metavar="URL", help=f"A service; a token goes into {TOKEN_VARIABLE}.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="FILE", help="A target file of a tool, such as Boltz.")
    ] = None,
    simulate: Annotated[
        str | None, typer.Option(metavar="OPTIONS", help="Made-up values: latency=1,failures=0.1,noise=0.1.")
    ] = None,
    oracle: OracleName = None,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="Evaluations at the same time.")] = 1,
    batch: Annotated[int, typer.Option(min=1, help="Objects that are claimed at once.")] = 16,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Longest silence of a program.")
    ] = None,
    lease: Annotated[
        float, typer.Option(min=1.0, metavar="SECONDS", help="Others take over after so long without a sign.")
    ] = 30.0,
    idle_exit: Annotated[
        float | None, typer.Option(min=0.0, metavar="SECONDS", help="End after so long without a job.")
    ] = None,
    attempts: Annotated[int, typer.Option(min=1, help="Tries of an object that breaks the evaluation.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Answer the objects that wait in a queue.

    What is wrong with an object is told as a failure of that object. What breaks the evaluation (a crash, a
    time-out) is tried again, alone and after a rest, and ends as a dead letter.

    `fluvial queue submit` asks; a training run does not use the queue yet.
    """
    from fluvial.queue.jobs import Retries
    from fluvial.queue.opening import open_queue
    from fluvial.queue.worker import WorkerSettings

    given = {"function": function, "exec": command, "once": once, "http": http, "target": target}
    given["simulate"] = simulate
    kind = chosen_kind(given, timeout)
    stop = threading.Event()
    catch_signals(stop)
    # A worker may be there before the first object.
    with closing(open_queue(place, retries=Retries(max_attempts=attempts))) as queue:
        fingerprint = await_oracle(queue, oracle, stop, idle_exit)
        if fingerprint is None:
            if not as_json and not stop.is_set():
                say(f"nothing was ever asked in {place}; ask with `fluvial queue submit`")
            return
        settings = WorkerSettings(fingerprint, batch, lease, idle_exit)
        states = work_in_threads(queue, kind, settings, jobs, stop)
    values, failures = sum(one.n_values for one in states), sum(one.n_failures for one in states)
    if as_json:
        say_json({"event": "end", "values": values, "failures": failures})
    else:
        say(f"{values} answered, {failures} failed")


def await_oracle(
    queue: SqlQueue, wanted: str | None, stop: threading.Event, idle_exit_seconds: float | None
) -> str | None:
    """Fingerprint of the oracle to answer, as soon as somebody asks it; None if nobody does.

    Raises:
        ConfigError: several fit.
    """
    waited = 0.0
    while not stop.is_set():
        found = oracle_of(queue, wanted)
        if found is not None or (idle_exit_seconds is not None and waited >= idle_exit_seconds):
            return found
        stop.wait(WAIT_SECONDS)
        waited += WAIT_SECONDS
    return None


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
    queue: SqlQueue, kind: Kind, settings: WorkerSettings, count: int, stop: threading.Event
) -> list[WorkerState]:
    """What each of `count` workers did; if one cannot work, all stop.

    Raises:
        FluvialError: what stopped the first of them.
    """
    from fluvial.queue.worker import work

    states: list[WorkerState] = []
    errors: list[BaseException] = []

    def run(number: int, evaluator: Evaluator) -> None:
        name = f"{socket.gethostname()}-{os.getpid()}-{number}"
        try:
            states.append(work(queue, evaluator, name, settings, stop))
        except BaseException as error:
            errors.append(error)
            stop.set()

    with ExitStack() as stack:
        evaluators = [stack.enter_context(closing(kind.make())) for _ in range(count)]
        threads = [threading.Thread(target=run, args=numbered) for numbered in enumerate(evaluators)]
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
