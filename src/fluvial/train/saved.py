"""What a run's folder says of how it was begun. Works without torch, so that workers start fast."""

from __future__ import annotations

import json
from pathlib import Path

from fluvial.config.file import LoadedConfig, load_config
from fluvial.core.errors import ResumeError
from fluvial.queue.database import FILE_NAME
from fluvial.train.run_directory import RunDirectory


def saved_configuration(directory: RunDirectory) -> LoadedConfig:
    """The configuration of a run, with the folder that its relative paths start from."""
    config = load_config(directory.config).config
    try:
        facts = json.loads(directory.environment.read_text(encoding="utf-8"))
        base = Path(facts["configuration_folder"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResumeError(
            f"{directory.environment} is missing or damaged ({error}). Restore it from a backup,"
            f' or write {{"configuration_folder": "FOLDER OF THE CONFIGURATION FILE"}} into it'
        ) from None
    return LoadedConfig(config, base, str(directory.config))


def queue_place(loaded: LoadedConfig, folder: Path) -> str:
    """Path or URL of the queue of the run in `folder`.

    A relative path starts at the folder of the configuration.
    """
    place = loaded.config.queue.place
    if place is None:
        return str(folder / FILE_NAME)
    return place if "://" in place else str(loaded.base / place)


def run_at(place: str) -> RunDirectory | None:
    """The run whose folder `place` is; None where it is something else."""
    directory = None if "://" in place else RunDirectory(Path(place))
    return directory if directory is not None and directory.config.is_file() else None


def place_of(place: str) -> str:
    """The queue that is meant: that of a run where `place` is its folder, else `place` itself."""
    directory = run_at(place)
    return place if directory is None else queue_place(saved_configuration(directory), directory.path)
