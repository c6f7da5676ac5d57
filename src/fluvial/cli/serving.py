"""`fluvial reward serve`: a reward as a service on this machine."""

from __future__ import annotations

import os
import secrets
import threading
from contextlib import ExitStack, closing
from typing import Annotated

import typer

from fluvial.cli.evaluators import chosen_kind
from fluvial.cli.output import say
from fluvial.cli.working import catch_signals

SERVE_EXAMPLES = """\
Examples:

fluvial reward serve reward.py:score

fluvial reward serve --target tyk2.toml --port 8000 -j 2
"""


def serve(
    function: Annotated[
        str | None, typer.Argument(metavar="FILE:NAME", help="A Python function, as in a configuration.")
    ] = None,
    command: Annotated[
        str | None, typer.Option("--exec", metavar="COMMAND", help="Or a program that answers lines of JSON.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="FILE", help="Or a target file of a tool, such as Boltz.")
    ] = None,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Of this machine alone.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any free one.")] = 8000,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="Evaluations at the same time.")] = 1,
    timeout: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Longest silence of a program.")
    ] = None,
) -> None:
    """Answer HTTP requests for scores, on this machine only, until SIGTERM or Ctrl-C.

    Requests must show a token: the one in the variable FLUVIAL_HTTP_TOKEN, else one that is made up and
    printed. `fluvial worker --http` asks such a service.
    """
    from fluvial.rewards.evaluators import TOKEN_VARIABLE
    from fluvial.rewards.http_server import RewardServer

    kind = chosen_kind({"function": function, "exec": command, "target": target}, timeout)
    token = os.environ.get(TOKEN_VARIABLE, "") or secrets.token_urlsafe(24)
    stop = threading.Event()
    catch_signals(stop)
    with ExitStack() as stack:
        evaluators = [stack.enter_context(closing(kind.make())) for _ in range(jobs)]
        server = stack.enter_context(RewardServer(host, port, token, evaluators))
        server.stopped = stop
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        say(f"serving at {server.address}")
        if not os.environ.get(TOKEN_VARIABLE):
            say(f"token {token}")
        try:
            stop.wait()
        finally:
            server.shutdown()
            thread.join()
        if server.failure is not None:
            raise server.failure
