"""Which room may import which, what nothing may be called, and what must start without torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fluvial

ROOT = Path(fluvial.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))

BELOW_TRAIN = {
    "core",
    "assets",
    "losses",
    "chem",
    "envs",
    "predictors",
    "nets",
    "policy",
    "sample",
    "rewards",
    "queue",
    "algorithms",
    "data",
    "replay",
    "metrics",
    "config",
    "oracles",
}
EVERYTHING = BELOW_TRAIN | {"launch", "train", "tasks", "testing", "bench", "report", "api", "cli"}
DOORS: dict[str, set[str]] = {
    "core": set(),
    "assets": {"core"},
    "losses": {"core"},
    "chem": {"core", "assets"},
    "envs": {"core", "chem", "assets"},
    "nets": {"core"},
    "policy": {"core", "nets"},
    "sample": {"core"},
    "algorithms": {"core", "losses", "policy", "sample"},
    "predictors": {"core", "chem", "assets", "nets"},
    "rewards": {"core", "chem", "queue", "predictors", "assets"},
    "queue": set(),
    "config": {"core", "chem", "rewards"},
    "oracles": {"core", "chem", "predictors", "rewards", "queue", "config"},
    "data": {"core", "chem", "assets", "sample", "rewards"},
    "replay": {"core", "sample", "queue"},
    "metrics": {"core", "sample", "chem"},
    "train": BELOW_TRAIN,
    "tasks": BELOW_TRAIN | {"train"},
    "testing": {"core", "sample", "metrics", "losses"},
    "bench": BELOW_TRAIN | {"train", "tasks"},
    "launch": {"core", "config"},
    "report": EVERYTHING,
    "api": EVERYTHING,
    "cli": EVERYTHING,
}
SINGLE_MODULES = {"queue": {"fluvial.core.errors"}}
"""Modules that a room may import although it may not import their room."""

FORBIDDEN_FILES = {"utils", "util", "misc", "common", "helpers", "helper"}


def module_name(path: Path, root: Path = ROOT) -> str:
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(module: str) -> str:
    """The second part of "fluvial.room.module"; empty for the package itself."""
    return module.split(".")[1] if "." in module else ""


def imported_modules(source: str, module: str, is_package: bool) -> Iterator[str]:
    """Our modules, or names in them, that a file imports anywhere, also inside functions."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*start, node.module] if node.module else start)
            names = [f"{stem}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            names = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
        yield from (name for name in names if name.split(".")[0] == "fluvial")


def closed_doors(source: str, module: str, is_package: bool = False) -> list[str]:
    """Imports that the table forbids."""
    here = room(module)
    if not here or here == "__main__":
        return []
    if here not in DOORS:
        return [f"room {here} is not in the table"]
    open_rooms = DOORS[here] | {here}
    single = SINGLE_MODULES.get(here, set())
    return [
        name
        for name in imported_modules(source, module, is_package)
        if room(name) not in open_rooms and not any(f"{name}.".startswith(f"{one}.") for one in single)
    ]


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_go_through_the_doors(path):
    assert closed_doors(path.read_text(encoding="utf-8"), module_name(path), path.name == "__init__.py") == []


@pytest.mark.parametrize(
    ("module", "line", "is_closed"),
    [
        ("fluvial.core.batch", "from fluvial.losses import residuals", True),
        ("fluvial.core.batch", "from fluvial.core.errors import DataError", False),
        ("fluvial.core.batch", "from .errors import DataError", False),
        ("fluvial.core.batch", "from ..chem import molecules", True),
        ("fluvial.envs.graph", "def f():\n    import fluvial.chem.molecules", False),
        ("fluvial.envs.graph", "def f():\n    import fluvial.policy.tabular", True),
        ("fluvial.envs.graph", "from fluvial import policy", True),
        ("fluvial.envs.graph", "import importlib\nimportlib.import_module('fluvial.train.step')", True),
        ("fluvial.queue.store", "from fluvial.core.errors import StorageError", False),
        ("fluvial.queue.store", "from fluvial.core import errors", False),
        ("fluvial.queue.store", "from fluvial.core.types import Condition", True),
        ("fluvial.attic.old", "import torch", True),
        ("fluvial.train.loop", "from fluvial.cli import main", True),
        ("fluvial.cli.main", "from fluvial.train import loop", False),
        ("fluvial.losses.residuals", "import torch", False),
    ],
)
def test_the_check_itself(module, line, is_closed):
    assert bool(closed_doors(line, module)) == is_closed


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_nothing_has_a_name_without_meaning(path):
    assert not FORBIDDEN_FILES & {part.removesuffix(".py") for part in path.relative_to(ROOT).parts}
    classes = [
        node.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    ]
    assert [name for name in classes if name.startswith("Base") or name.endswith("Manager")] == []


def test_every_room_is_in_the_table():
    rooms = {room(module_name(path)) for path in MODULES} - {"", "__main__"}
    assert rooms <= set(DOORS)
    assert len(MODULES) > 20


def test_reward_workers_start_without_torch():
    light = [module_name(path) for path in MODULES if room(module_name(path)) in ("queue", "chem")]
    names = ["fluvial", "fluvial.core.errors", "fluvial.core.reward_batch", *light]
    names += ["fluvial.predictors.registry", "fluvial.rewards.pool", "fluvial.envs.synthesis.questions"]
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    if 'torch' in sys.modules:\n"
        "        sys.exit(f'{name} imports torch')\n"
    )
    done = subprocess.run([sys.executable, "-c", program, *names], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
