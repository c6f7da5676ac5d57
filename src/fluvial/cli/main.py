"""The command `fluvial`. Commands import what they need when they run, so that help comes at once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from fluvial.cli import (
    assets,
    bench,
    design,
    doctor,
    environments,
    evaluating,
    exporting,
    keys,
    laboratory,
    launching,
    preparing,
    proxies,
    queueing,
    reporting,
    routing,
    sampling,
    scoring,
    serving,
    starting,
    status,
    tasks,
    training,
    working,
)
from fluvial.cli.failures import Commands
from fluvial.cli.output import say

DESIGN = "Design"
RUNS = "Runs"
SLOW = "Slow rewards"
HELP = "Help and files"

INTRODUCTION = (
    "Learn to draw molecules in proportion to a reward, and draw them.\n\n"
    "Exit codes: 0 done, 1 the run failed, 2 wrong usage, configuration or data, 4 the run cannot be "
    "continued so, 5 storage, 75 pre-empted and saved, 130 interrupted and saved."
)

FIRST_STEPS = """\
First steps:

fluvial design --reward "qed*sa" --steps 300

fluvial init screen, then: fluvial train screen/run.toml

fluvial task list, then: fluvial train --task toy_sequence --small
"""

app = typer.Typer(
    cls=Commands,
    help=INTRODUCTION,
    epilog=FIRST_STEPS,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(help="Say what the keys of a configuration mean.", no_args_is_help=True)
queue_app = typer.Typer(help="Submit objects, take answers, see to what failed.", no_args_is_help=True)
task_app = typer.Typer(
    help="Show the ready tasks. Train one with: fluvial train --task NAME --small", no_args_is_help=True
)
reward_app = typer.Typer(help="Serve a reward to other programs.", no_args_is_help=True)
cluster_app = typer.Typer(help="Run training and workers on a cluster.", no_args_is_help=True)
proxy_app = typer.Typer(help="Learn predictors for a reward from a file.", no_args_is_help=True)
data_app = typer.Typer(
    help="Fetch public files that some configurations need; prepare building blocks.", no_args_is_help=True
)


def print_version(asked: bool) -> None:
    """Print the version and end, if that is asked for."""
    if asked:
        from importlib.metadata import version

        say(version("fluvial"))
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the whole trace of an error.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=print_version),
    ] = False,
) -> None:
    """Options of all commands; `Commands` reads them."""


def add(to: typer.Typer, name: str, function: Callable[..., None], epilog: str, **settings: Any) -> None:
    """Make a function a command; the paragraphs of its documentation are its help."""
    paragraphs = (inspect.getdoc(function) or "").split("\n\n")
    text = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    to.command(name, help=text, epilog=epilog, **settings)(function)


add(app, "design", design.design, design.EXAMPLES, rich_help_panel=DESIGN)
add(app, "score", scoring.score, scoring.EXAMPLES, rich_help_panel=DESIGN)
add(app, "init", starting.init, starting.INIT_EXAMPLES, rich_help_panel=RUNS)
add(app, "check", starting.check, starting.CHECK_EXAMPLES, rich_help_panel=RUNS)
add(app, "check-env", environments.check_env, environments.EXAMPLES, rich_help_panel=DESIGN)
add(app, "train", training.train, training.TRAIN_EXAMPLES, rich_help_panel=RUNS)
add(app, "resume", training.resume, training.RESUME_EXAMPLES, rich_help_panel=RUNS)
add(app, "sample", sampling.sample, sampling.EXAMPLES, rich_help_panel=RUNS)
add(app, "evaluate", evaluating.evaluate, evaluating.EXAMPLES, rich_help_panel=RUNS)
add(app, "export", exporting.export, exporting.EXAMPLES, rich_help_panel=RUNS)
add(app, "routes", routing.routes, routing.EXAMPLES, rich_help_panel=DESIGN)
add(app, "report", reporting.report, reporting.EXAMPLES, rich_help_panel=RUNS)
add(app, "worker", working.worker, working.EXAMPLES, rich_help_panel=SLOW)
add(app, "status", status.status, status.STATUS_EXAMPLES, rich_help_panel=SLOW)
add(app, "watch", status.watch, status.WATCH_EXAMPLES, rich_help_panel=SLOW)
app.add_typer(queue_app, name="queue", rich_help_panel=SLOW)
app.add_typer(reward_app, name="reward", rich_help_panel=SLOW)
app.add_typer(cluster_app, name="cluster", rich_help_panel=SLOW)
app.add_typer(task_app, name="task", rich_help_panel=RUNS)
app.add_typer(proxy_app, name="proxy", rich_help_panel=DESIGN)
app.add_typer(config_app, name="config", rich_help_panel=HELP)
app.add_typer(data_app, name="data", rich_help_panel=HELP)
add(app, "bench", bench.bench, bench.EXAMPLES, rich_help_panel=HELP, cls=bench.BenchCommand)
add(app, "doctor", doctor.doctor, doctor.EXAMPLES, rich_help_panel=HELP)
add(queue_app, "submit", queueing.submit, queueing.SUBMIT_EXAMPLES)
add(queue_app, "answers", queueing.answers, queueing.ANSWERS_EXAMPLES)
add(queue_app, "ask", laboratory.ask, laboratory.ASK_EXAMPLES)
add(queue_app, "tell", laboratory.tell, laboratory.TELL_EXAMPLES)
add(queue_app, "failures", queueing.failures, queueing.FAILURES_EXAMPLES)
add(queue_app, "retry", queueing.retry, queueing.RETRY_EXAMPLES)
add(queue_app, "pause", queueing.pause, queueing.CONTROL_EXAMPLES)
add(queue_app, "drain", queueing.drain, queueing.CONTROL_EXAMPLES)
add(queue_app, "resume", queueing.resume, queueing.CONTROL_EXAMPLES)
add(reward_app, "serve", serving.serve, serving.SERVE_EXAMPLES)
add(cluster_app, "slurm", launching.slurm, launching.SLURM_EXAMPLES)
add(cluster_app, "local", launching.local, launching.LOCAL_EXAMPLES)
add(config_app, "explain", keys.explain, keys.EXPLAIN_EXAMPLES)
add(config_app, "schema", keys.schema, keys.SCHEMA_EXAMPLES)
add(task_app, "list", tasks.list_tasks, tasks.LIST_EXAMPLES)
add(task_app, "show", tasks.show_task, tasks.SHOW_EXAMPLES)
add(proxy_app, "train", proxies.train, proxies.TRAIN_EXAMPLES)
add(proxy_app, "show", proxies.show, proxies.SHOW_EXAMPLES)
add(data_app, "list", assets.list_assets, assets.LIST_EXAMPLES)
add(data_app, "fetch", assets.fetch, assets.FETCH_EXAMPLES)
add(data_app, "prepare", preparing.prepare, preparing.PREPARE_EXAMPLES)
add(data_app, "inspect", preparing.inspect, preparing.INSPECT_EXAMPLES)


def main() -> None:
    """Run the command line and end the process with its exit code."""
    app()
