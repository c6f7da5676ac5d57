"""`fluvial data`: public files that some configurations need."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from fluvial.cli.output import say

LIST_EXAMPLES = """\
Example:

fluvial data list
"""

FETCH_EXAMPLES = """\
Example:

fluvial data fetch bengio2021

On a machine without network, put the file into a folder and name that in FLUVIAL_ASSETS.
"""


def list_assets() -> None:
    """List the public files, their licences, and whether they are on this machine."""
    from fluvial.assets.registry import ASSETS

    for name, asset in ASSETS.items():
        say(f"{name:22}{'here' if is_here(name) else 'to fetch':10}{asset.licence:12}{asset.repository}")


def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name out of `fluvial data list`.")],
) -> None:
    """Download a public file into the cache, check it, and print its path."""
    from fluvial.assets.registry import fetch as path_of

    say(str(path_of(name)))


def is_here(name: str) -> bool:
    """Whether a file of this name is in the folder of FLUVIAL_ASSETS or in the cache."""
    from fluvial.assets.registry import FOLDER_VARIABLE, cache_folder, find

    folders = [cache_folder()]
    if named := os.environ.get(FOLDER_VARIABLE, "").strip():
        folders.append(Path(named))
    return any((folder / find(name).file_name).is_file() for folder in folders)
