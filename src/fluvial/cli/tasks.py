"""`fluvial task`: the ready problems."""

from __future__ import annotations

from typing import Annotated

import typer

from fluvial.cli.output import aligned, say

LIST_EXAMPLES = """\
Example:

fluvial task list
"""
SHOW_EXAMPLES = """\
Examples:

fluvial task show small_graphs

fluvial task show seh > seh.toml, then: fluvial train seh.toml
"""

Small = Annotated[bool, typer.Option("--small", help="The size for a laptop: a minute instead of hours.")]


def list_tasks() -> None:
    """Print the ready tasks: name, what is drawn, and the public files that they need."""
    from fluvial.tasks.registry import TASKS

    rows = []
    for task in TASKS.values():
        needs = f" [needs {', '.join(task.assets)}]" if task.assets else ""
        rows.append((task.name, task.summary + needs))
    say(aligned(rows))
    say("\nTrain one: fluvial train --task NAME --small")


def show_task(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the task.")],
) -> None:
    """Print the configuration of a task, with comments on what it does and why."""
    from fluvial.tasks.registry import find_task

    task = find_task(name)
    say(task.toml.rstrip("\n"))
    say(f"\n# The small size (--small): {' '.join(task.small)}")
