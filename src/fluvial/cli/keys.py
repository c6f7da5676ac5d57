"""`fluvial config`: what the keys of a configuration mean."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from fluvial.cli.output import say

EXPLAIN_EXAMPLES = """\
Examples:

fluvial config explain

fluvial config explain algo.batch

fluvial config explain reward.term
"""

SCHEMA_EXAMPLES = """\
Example:

fluvial config schema > run.schema.json
"""


def explain(
    key: Annotated[
        str | None, typer.Argument(metavar="KEY", help="A key or section; without it, all sections.")
    ] = None,
) -> None:
    """Say what a key means, its type and its default."""
    from fluvial.config.explain import explain as text_of

    say(text_of(key))


def schema() -> None:
    """Print the JSON Schema of a configuration file, by which editors complete and check keys."""
    from fluvial.config.explain import json_schema

    say(json.dumps(json_schema(), indent=2))
