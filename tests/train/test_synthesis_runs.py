"""A run that designs molecules with their synthesis, from a library file to routes on disk."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from fluvial.chem.synthesis.library import embedded_library, make_library
from fluvial.chem.synthesis.library_file import write_library
from fluvial.chem.synthesis.routes import from_json, runs
from fluvial.cli.main import app
from fluvial.config.file import LoadedConfig, parse_config
from fluvial.core.errors import ConfigError, ResumeError
from fluvial.queue.store import Store
from fluvial.train.checkpoint import latest_intact
from fluvial.train.exchange import with_library
from fluvial.train.launch import resume, start, trained
from fluvial.train.run import Run, SilentProgress
from fluvial.train.run_directory import RunDirectory

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


def test_a_run_samples_with_other_blocks_of_the_same_reactions(tmp_path: Path) -> None:
    write_few(tmp_path / "few.library", 0)
    config = parse_config(CONFIGURATION, "run.toml", [])
    folder = start(LoadedConfig(config, tmp_path, "run.toml"), SilentProgress(), tmp_path / "run").path
    write_few(tmp_path / "other.library", 300)
    whole = embedded_library()
    fewer = make_library([whole.block(number) for number in range(60)], whole.templates[1:])
    write_library(fewer, tmp_path / "wrong.library", {})
    files = {name: str(tmp_path / name) for name in ("other.library", "wrong.library", "r.jsonl", "new.csv")}
    told = ["sample", str(folder), "-n", "20", "--routes", files["r.jsonl"], "-o", files["new.csv"]]
    result = CliRunner().invoke(app, [*told, "--library", files["other.library"]])
    assert result.exit_code == 0, result.output
    others = {whole.smiles[number] for number in range(300, 360)}
    routes = [from_json(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert routes
    assert all(runs(route) for route in routes)
    assert {block.smiles for route in routes for block in route.blocks} <= others
    assert all(route.product in (tmp_path / "new.csv").read_text() for route in routes)
    refused = CliRunner().invoke(app, [*told, "--library", files["wrong.library"]])
    assert refused.exit_code != 0
    words = " ".join(refused.output.split())
    assert (
        "its 79 reactions are not the 80 that the run was trained with (0 are new and 1 are missing)" in words
    )


def test_only_runs_of_syntheses_take_a_library(tmp_path: Path) -> None:
    saved = LoadedConfig(parse_config('[env]\nkind = "hypergrid"\n', "run.toml", []), tmp_path, "run.toml")
    with pytest.raises(ConfigError, match="'hypergrid', which has no library of building blocks"):
        with_library(saved, "default")


def test_how_a_block_is_chosen_stays_as_it_was_learned(tmp_path: Path) -> None:
    config = parse_config('[env]\nkind = "synthesis"\n', "run.toml", [])
    exchanged = with_library(LoadedConfig(config, tmp_path, "run.toml"), "default").config
    assert (config.policy.blocks, exchanged.policy.blocks) == (None, "all")


def learned(folder: Path, parents: str, workers: int) -> tuple[dict[str, torch.Tensor], str]:
    """Weights and store of a run of three steps."""
    backward = "tlm" if parents == "recorded" else "uniform"
    options = [
        f"env.parents={parents}",
        f"env.workers={workers}",
        f"algo.backward={backward}",
        "stop.steps=3",
    ]
    config = parse_config(CONFIGURATION, "run.toml", options)
    run = start(LoadedConfig(config, folder.parent, "run.toml"), SilentProgress(), folder)
    with Store.open(run.store) as store:
        return dict(latest_intact(run.checkpoints)[0].weights), store.digest()


@pytest.mark.parametrize("parents", ["recorded", "searched"])
def test_worker_processes_change_nothing_of_a_run(tmp_path: Path, parents: str) -> None:
    write_few(tmp_path / "few.library", 0)
    weights, digest = learned(tmp_path / "alone", parents, 0)
    same_weights, same_digest = learned(tmp_path / "together", parents, 2)
    assert weights.keys() == same_weights.keys()
    assert all(torch.equal(same_weights[name], values) for name, values in weights.items())
    assert same_digest == digest
    assert multiprocessing.active_children() == []


class HaltedError(Exception):
    """Ends a run from within."""


class Halting(SilentProgress):
    def on_checkpoint(self, run: Run) -> None:
        if run.learner.step == 3:
            raise HaltedError


@pytest.mark.parametrize(("parents", "backward"), [("recorded", "tlm"), ("searched", "learned")])
def test_a_resumed_run_is_the_same_to_the_last_bit(tmp_path: Path, parents: str, backward: str) -> None:
    write_few(tmp_path / "few.library", 0)
    options = [f"env.parents={parents}", f"algo.backward={backward}", "log.checkpoint_every=3"]
    config = LoadedConfig(parse_config(CONFIGURATION, "", [*options, "stop.steps=6"]), tmp_path, "run.toml")
    start(config, SilentProgress(), tmp_path / "straight")
    with pytest.raises(HaltedError):
        start(config, Halting(), tmp_path / "halted")
    resume(tmp_path / "halted", SilentProgress())
    runs = [RunDirectory(tmp_path / name) for name in ("straight", "halted")]
    weights, resumed = (latest_intact(run.checkpoints)[0].weights for run in runs)
    assert all(torch.equal(resumed[name], values) for name, values in weights.items())
    digests = []
    for run in runs:
        with Store.open(run.store) as store:
            digests.append(store.digest())
    assert digests[0] == digests[1]


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
