"""`fluvial train` and `fluvial resume`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from fluvial.cli.options import AsJson, Out, Overrides, Quiet, RunFolder, Steps, Workers
from fluvial.cli.output import aligned, say, say_json
from fluvial.cli.tasks import Small
from fluvial.core.errors import ConfigError

if TYPE_CHECKING:
    from fluvial.config.choices import Choice
    from fluvial.config.file import LoadedConfig
    from fluvial.train.run_directory import RunDirectory

TRAIN_EXAMPLES = """\
Examples:

fluvial train run.toml

fluvial train run.toml --out runs/second seed=2 algo.batch=128

fluvial train --task toy_sequence --small --out runs/toy

Stop it with Ctrl-C at any time: it saves, and `fluvial resume` continues.
"""

RESUME_EXAMPLES = """\
Examples:

fluvial resume runs/design

fluvial resume runs/design --steps 5000 log.every=50

Only name, out, stop.*, log.*, queue.*, device, threads and the reward's workers and time limit can change.
"""


def train(  # noqa: PLR0913 - the options of a command
    config: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="Configuration file, TOML or JSON; or use --task.")
    ] = None,
    overrides: Overrides = None,
    task: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A ready task in place of a file: see fluvial task list."),
    ] = None,
    small: Small = False,
    out: Out = None,
    steps: Steps = None,
    device: Annotated[str | None, typer.Option(metavar="NAME", help="auto, cpu, cuda or cuda:N.")] = None,
    workers: Workers = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train the run that a configuration file or a ready task describes, in a new folder."""
    from fluvial.cli.progress import following
    from fluvial.cli.views import views_for
    from fluvial.config.choices import Choice
    from fluvial.train.launch import start

    chosen = {
        "stop.steps": (steps, f"--steps {steps}"),
        "device": (device, f"--device {device}"),
        "queue.workers": (workers, f"--workers {workers}"),
    }
    choices = [Choice(key, value, said) for key, (value, said) in chosen.items() if value is not None]
    loaded = chosen_run(config, task, small, choices, overrides or [])
    folder = out or loaded.base / loaded.config.run_folder
    with following(folder, views_for(loaded.config, quiet, as_json)) as progress:
        directory = start(loaded, progress, folder)
    tell_end(directory, progress.last_step, quiet, as_json)


def chosen_run(
    config: str | None, task: str | None, small: bool, choices: Sequence[Choice], overrides: list[str]
) -> LoadedConfig:
    """The configuration that the arguments mean.

    Raises:
        ConfigError: neither a file nor a task is named, or both.
    """
    from fluvial.config.choices import configured
    from fluvial.config.write import toml_value
    from fluvial.tasks.registry import load_task

    if task is None:
        if config is None or small:
            raise ConfigError("name a file, or a task as in `fluvial train --task toy_sequence --small`")
        return configured(config, choices, overrides)
    if config is not None and "=" not in config:
        raise ConfigError(f"{config} and --task {task} are two runs; name one of them")
    # With a task there is no file, and what stands in its place is the first override.
    changes = [f"{choice.key}={toml_value(choice.value)}" for choice in choices]
    return load_task(task, [*changes, *([config] if config else []), *overrides], small)


def resume(
    run: RunFolder,
    overrides: Overrides = None,
    steps: Steps = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Continue a run from its newest intact checkpoint, exactly where it was."""
    from fluvial.cli.progress import following
    from fluvial.cli.views import views_for
    from fluvial.config.file import load_config
    from fluvial.train.launch import resume as go_on
    from fluvial.train.run_directory import RunDirectory

    directory = RunDirectory.open_existing(run)
    changes = [*([f"stop.steps={steps}"] if steps is not None else []), *(overrides or [])]
    config = load_config(directory.config, changes).config
    with following(run, views_for(config, quiet, as_json)) as progress:
        go_on(run, progress, changes)
    tell_end(directory, progress.last_step, quiet, as_json)


def tell_end(directory: RunDirectory, step: int, quiet: bool, as_json: bool) -> None:
    """Say what there is now and what can be done with it."""
    path = directory.path
    if as_json:
        say_json({"event": "done", "run": str(path), "step": step})
    elif not quiet:
        rows = [("run", f"{path}, {step} steps")]
        rows += [("candidates", str(directory.candidates_csv))]
        rows += [("next", f"fluvial sample {shlex.quote(str(path))} -n 1000 -o new.csv")]
        rows += [("", f"fluvial report {shlex.quote(str(path))}")]
        say(aligned(rows))
