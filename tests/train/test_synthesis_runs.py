"""A run that designs molecules with their synthesis, from a library file to routes on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from fluvial.chem.synthesis.library import embedded_library, make_library
from fluvial.chem.synthesis.library_file import write_library
from fluvial.chem.synthesis.routes import from_json, runs
from fluvial.cli.main import app
from fluvial.config.file import LoadedConfig, parse_config
from fluvial.core.errors import ResumeError
from fluvial.train.launch import resume, start, trained
from fluvial.train.run import SilentProgress

CONFIGURATION = """
[env]
kind = "synthesis"
library = "few.library"
[policy]
kind = "mlp"
width = 16
[algo]
batch = 4
[replay]
start = 4
[[reward.term]]
kind = "qed"
[stop]
steps = 2
"""


def write_few(path: Path, first: int) -> None:
    whole = embedded_library()
    few = make_library([whole.block(number) for number in range(first, first + 60)], whole.templates)
    write_library(few, path, {})


def test_another_library_is_refused(tmp_path: Path) -> None:
    write_few(tmp_path / "few.library", 0)
    config = parse_config(CONFIGURATION, "run.toml", [])
    start(LoadedConfig(config, tmp_path, "run.toml"), SilentProgress(), tmp_path / "run")
    with trained(tmp_path / "run") as run:
        drawn = run.draw(6)
    assert len(drawn.routes) == 6
    for route, item in zip(drawn.routes, drawn.objects, strict=True):
        assert (route is None and item.text == "") or (route is not None and route.product == item.text)
        assert route is None or runs(route)
    write_few(tmp_path / "few.library", 1)
    with pytest.raises(ResumeError, match="the library has changed"):
        resume(tmp_path / "run", SilentProgress(), ["stop.steps=4"])


@pytest.mark.long
def test_design_writes_a_route_for_each_molecule(tmp_path: Path) -> None:
    options = ["--space", "synthesis", "--reward", "qed", "--steps", "3", "-n", "20", "-q"]
    folder = tmp_path / "run"
    result = CliRunner().invoke(app, ["design", *options, "--out", str(folder), "algo.batch=8"])
    assert result.exit_code == 0, result.output
    lines = (folder / "routes.jsonl").read_text().splitlines()
    table = (folder / "samples.csv").read_text()
    assert len(lines) >= 10
    for line in lines:
        route = from_json(line)
        assert runs(route)
        assert route.product in table
