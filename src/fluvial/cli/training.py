"""`fluvial train` and `fluvial resume`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from fluvial.cli.options import AsJson, ConfigFile, Out, Overrides, Quiet, RunFolder, Steps
from fluvial.cli.output import aligned, say, say_json

if TYPE_CHECKING:
    from fluvial.train.run_directory import RunDirectory

TRAIN_EXAMPLES = """\
Examples:

fluvial train run.toml

fluvial train run.toml --out runs/second seed=2 algo.batch=128

Stop it with Ctrl-C at any time: it saves, and `fluvial resume` continues.
"""

RESUME_EXAMPLES = """\
Examples:

fluvial resume runs/design

fluvial resume runs/design --steps 5000 log.every=50

Only name, out, stop.*, log.*, device, threads and the reward's workers and time limit can be changed.
"""


def train(
    config: ConfigFile,
    overrides: Overrides = None,
    out: Out = None,
    steps: Steps = None,
    device: Annotated[str | None, typer.Option(metavar="NAME", help="auto, cpu, cuda or cuda:N.")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train the run that a configuration file describes, in a new folder."""
    from fluvial.cli.progress import following
    from fluvial.cli.views import views_for
    from fluvial.config.choices import Choice, configured
    from fluvial.train.launch import start

    chosen = {
        "stop.steps": (steps, f"--steps {steps}"),
        "device": (device, f"--device {device}"),
    }
    choices = [Choice(key, value, said) for key, (value, said) in chosen.items() if value is not None]
    loaded = configured(config, choices, overrides or [])
    folder = out or loaded.base / loaded.config.run_folder
    with following(folder, views_for(loaded.config, quiet, as_json)) as progress:
        directory = start(loaded, progress, folder)
    tell_end(directory, progress.last_step, quiet, as_json)


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
