"""`fluvial doctor`: what this installation has."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import typer

from fluvial.cli.output import aligned, say

Rows = list[tuple[str, str]]

EXAMPLES = """\
Example:

fluvial doctor
"""

OPTIONAL = ("tensorboard", "wandb")
LITTLE_BYTES = 1_000_000_000
"""Free disk below which there is a warning; a long run takes some hundred megabytes."""


def doctor() -> None:
    """Print versions, devices, folders and what is missing; exit code 1 where something needed is."""
    rows: Rows = []
    is_broken = False
    for part in (versions, arithmetic, molecules, places):
        found, is_well = attempt(part)
        rows += found
        is_broken |= not is_well
    say(aligned(rows))
    if is_broken:
        raise typer.Exit(1)


def attempt(part: Callable[[], Rows]) -> tuple[Rows, bool]:
    """The rows of a part and whether it could be looked at: an installation may be broken in any way."""
    try:
        return part(), True
    except Exception as error:
        words = " ".join(str(error).split())
        return [
            ("PROBLEM", f"{part.__name__}: {type(error).__name__}: {words}; install fluvial again")
        ], False


def versions() -> Rows:
    """Python and the packages."""
    from importlib.metadata import PackageNotFoundError, version

    from fluvial.train.run_directory import PACKAGES

    rows = [("python", f"{platform.python_version()}, {sys.executable}"), ("system", platform.platform())]
    for name in (*PACKAGES, *OPTIONAL):
        try:
            rows.append((name, version(name)))
        except PackageNotFoundError:
            needed = "not installed (optional)" if name in OPTIONAL else "NOT INSTALLED"
            rows.append((name, needed))
    return rows


def arithmetic() -> Rows:
    """What torch computes on."""
    import torch

    count = torch.cuda.device_count()
    gpus = ", ".join(torch.cuda.get_device_name(number) for number in range(count)) or "none"
    return [
        ("gpu", gpus),
        ("threads", f"{torch.get_num_threads()} of {os.cpu_count()} processors"),
    ]


def molecules() -> Rows:
    """Whether the built-in vocabulary and a property work."""
    from fluvial.chem.molecules import parse_smiles
    from fluvial.chem.properties import PROPERTIES
    from fluvial.chem.vocabulary import load_vocabulary

    value = PROPERTIES["qed"].function(parse_smiles("CC(=O)Oc1ccccc1C(=O)O"))
    n_fragments = len(load_vocabulary("default").fragments)
    return [("chemistry", f"{n_fragments} built-in fragments; QED of aspirin {value:.3f}")]


def places() -> Rows:
    """Folders, public files and the disk."""
    from fluvial.assets.registry import ASSETS, FOLDER_VARIABLE, cache_folder
    from fluvial.cli.assets import is_here

    free = shutil.disk_usage(Path.cwd()).free
    little = " - WARNING: little room" if free < LITTLE_BYTES else ""
    named = os.environ.get(FOLDER_VARIABLE, "").strip()
    here = [name for name in ASSETS if is_here(name)]
    return [
        ("cache", str(cache_folder())),
        (FOLDER_VARIABLE, named or "not set"),
        ("public files", f"{', '.join(here) or 'none'} here; see `fluvial data list`"),
        ("disk", f"{free / 1e9:.1f} GB free in {Path.cwd()}{little}"),
    ]
