"""What a failing command prints, and its exit code."""

from __future__ import annotations

import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from fluvial.core.errors import FluvialError
from fluvial.core.plain import masked

INTERRUPTED = 130
USAGE_ERROR: Any = typer.BadParameter.__base__
"""The root of what is wrong with the arguments themselves; its module differs between versions of typer."""


class Commands(TyperGroup):
    """Runs commands; an error ends in one sentence on stderr and the exit code that belongs to it."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the arguments name."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, USAGE_ERROR, BrokenPipeError):
            raise
        except (Exception, KeyboardInterrupt) as error:
            is_debugging = bool(ctx.params.get("debug"))
            if is_debugging:
                traceback.print_exc()
            sentence, code = explanation(error, is_debugging)
            sentence = masked(sentence)
            typer.echo(f"{typer.style('error:', fg='red', bold=True)} {sentence}", err=True)
            raise typer.Exit(code) from None


def explanation(error: BaseException, is_debugging: bool = False) -> tuple[str, int]:
    """A sentence about an error, and the exit code."""
    if isinstance(error, FluvialError):
        return str(error), error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", INTERRUPTED
    name, words = type(error).__name__, " ".join(str(error).split())
    if name == "OutOfMemoryError" or isinstance(error, MemoryError):
        return "the memory is not enough; lower algo.batch, policy.width or replay.capacity", 1
    notes = getattr(error, "__notes__", [])
    further = "" if is_debugging else "Run the same with `fluvial --debug ...` to see where."
    place = " ".join(notes) or further
    return f"unexpected {name}{': ' if words else ''}{words.rstrip('.')}. {place}".rstrip(), 1
