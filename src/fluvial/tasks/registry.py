"""The tasks by name, and their configurations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from fluvial.assets.registry import fetch
from fluvial.chem.choices import choose_name
from fluvial.config.file import LoadedConfig, parse_config
from fluvial.config.write import toml_value


@dataclass(frozen=True)
class Task:
    """A ready problem."""

    name: str
    small: tuple[str, ...]
    """Overrides that make it a matter of a minute on two cores."""
    assets: tuple[str, ...] = ()
    """Public files that it needs, by their names in `fluvial data`."""
    given: str | None = None
    """File of this package that `data.file` names."""

    @property
    def toml(self) -> str:
        """The configuration, with comments."""
        return (_DATA / f"{self.name}.toml").read_text(encoding="utf-8")

    @property
    def given_file(self) -> Path | None:
        """Where the file of given objects is."""
        return None if self.given is None else Path(str(_DATA / self.given))

    @property
    def contents(self) -> dict[str, str]:
        """What a folder of its own holds: file name to text."""
        given = self.given_file
        data = {} if given is None else {given.name: given.read_text(encoding="utf-8")}
        return {"run.toml": self.toml, **data}

    @property
    def summary(self) -> str:
        """What is drawn, in one sentence: the first line of the configuration."""
        return self.toml.partition("\n")[0].removeprefix("# ")


_DATA = files("fluvial.tasks") / "data"
_PUBLIC = ("bengio2021", "seh-proxy")
_GIVEN = "small_molecules.smi"
_FEW_STEPS = ("stop.steps=60", "log.checkpoint_every=30", "log.every=20")
_SMALL_ATOMS = ("algo.batch=8", "data.per_step=8", "stop.steps=40")
_SMALL_GRAPH_NET = ("policy.width=32", "policy.layers=2", "algo.batch=16", "replay.start=32")

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("seh", ("env.max_fragments=5", *_SMALL_GRAPH_NET, *_FEW_STEPS), _PUBLIC),
        Task("seh_moo", ("env.max_fragments=5", *_SMALL_GRAPH_NET, *_FEW_STEPS), _PUBLIC),
        Task("qm9", (*_SMALL_GRAPH_NET, *_FEW_STEPS, *_SMALL_ATOMS), given=_GIVEN),
        Task("qm9_moo", (*_SMALL_GRAPH_NET, *_FEW_STEPS, *_SMALL_ATOMS), given=_GIVEN),
        Task("rings", ("env.max_atoms=5", *_SMALL_GRAPH_NET, *_FEW_STEPS)),
        Task(
            "synthesis",
            ("env.max_reactions=2", "policy.width=64", "algo.batch=16", "replay.start=32", *_FEW_STEPS),
        ),
        Task("toy_sequence", ("env.max_length=6", "policy.width=32", "policy.layers=2", *_FEW_STEPS)),
        Task("small_graphs", ("env.max_nodes=4", *_SMALL_GRAPH_NET, *_FEW_STEPS)),
        Task("tfbind8", ("policy.width=64", *_FEW_STEPS), ("tfbind8",)),
    )
}
"""The tasks by name."""


def find_task(name: str) -> Task:
    """The task of a name.

    Raises:
        ConfigError: there is none; the message gives the nearest name and the list.
    """
    return TASKS[choose_name("task", name, TASKS)]


def load_task(name: str, overrides: Sequence[str] = (), small: bool = False) -> LoadedConfig:
    """The checked configuration of a task; relative paths start at the working directory.

    Args:
        name: one of `TASKS`.
        overrides: keys to set, as `algo.batch=32`; they go before those of the small size.
        small: whether to take the small size.

    Raises:
        ConfigError: an unknown task, or overrides that do not fit.
        AssetError: a public file is not here and cannot be downloaded; the message says how to get it.
    """
    task = find_task(name)
    given = () if task.given_file is None else (f"data.file={toml_value(str(task.given_file))}",)
    changes = [*given, *(task.small if small else ()), *overrides]
    config = parse_config(task.toml, f"task {task.name}", changes)
    for asset in task.assets:
        fetch(asset)
    return LoadedConfig(config, Path.cwd(), f"task {task.name}")
