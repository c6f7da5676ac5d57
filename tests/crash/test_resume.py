"""A run that is stopped in any way continues as if nothing had happened."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from fluvial.config.file import LoadedConfig, parse_config
from fluvial.core.errors import FailedRunError, ResumeError
from fluvial.queue.store import Store
from fluvial.train.checkpoint import Checkpoint, latest_intact, write_checkpoint
from fluvial.train.launch import resume, start, trained
from fluvial.train.run import Run, SilentProgress
from fluvial.train.run_directory import RunDirectory
from fluvial.train.step import StepResult

CONFIGURATION = """
threads = 1
[env]
kind = "fragments"
max_fragments = 3
[policy]
kind = "graph-transformer"
width = 16
layers = 1
heads = 2
dropout = 0.1
[algo]
batch = 8
backward = "learned"
[condition]
beta = {distribution = "uniform", a = 1, b = 8}
[replay]
start = 20
capacity = 200
[log]
checkpoint_every = 10
"""


def begin(folder: Path, n_steps: int, progress: SilentProgress | None = None) -> RunDirectory:
    config = parse_config(CONFIGURATION, "run.toml", [f"stop.steps={n_steps}"])
    return start(LoadedConfig(config, folder.parent, "run.toml"), progress or SilentProgress(), folder)


def left_behind(run: RunDirectory) -> tuple[Checkpoint, str]:
    checkpoint, warnings = latest_intact(run.checkpoints)
    assert warnings == []
    with Store.open(run.store) as store:
        return checkpoint, store.digest()


def assert_same(mine: object, theirs: object, place: str = "state") -> None:
    if isinstance(mine, torch.Tensor):
        assert isinstance(theirs, torch.Tensor)
        assert mine.dtype == theirs.dtype, place
        assert torch.equal(mine, theirs), place
    elif isinstance(mine, dict):
        assert isinstance(theirs, dict)
        assert mine.keys() == theirs.keys(), place
        for key in mine:
            assert_same(mine[key], theirs[key], f"{place}.{key}")
    elif isinstance(mine, list | tuple):
        assert isinstance(theirs, list | tuple)
        assert len(mine) == len(theirs), place
        for index, (one, other) in enumerate(zip(mine, theirs, strict=True)):
            assert_same(one, other, f"{place}[{index}]")
    else:
        assert mine == theirs, place


def assert_same_run(mine: RunDirectory, theirs: RunDirectory) -> None:
    (one, digest), (other, other_digest) = left_behind(mine), left_behind(theirs)
    assert one.step == other.step
    assert_same(dict(one.weights), dict(other.weights), "weights")
    assert_same(dict(one.ema), dict(other.ema), "ema")
    assert_same(one.state, other.state)
    assert digest == other_digest
    assert mine.candidates_csv.read_bytes() == theirs.candidates_csv.read_bytes()


class Crash(SilentProgress):
    """Dies in the middle of a run, between two checkpoints."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, run: Run, result: StepResult) -> None:
        if run.learner.step == self.step:
            raise RuntimeError("crashed")


class Listener(SilentProgress):
    """Remembers what a resumed run had to say."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def on_resume(self, run: Run, warnings: Sequence[str]) -> None:
        self.warnings.extend(warnings)


def test_crash_and_resume_equal_an_uninterrupted_run(tmp_path: Path) -> None:
    whole = begin(tmp_path / "whole", 30)
    with pytest.raises(RuntimeError, match="crashed"):
        begin(tmp_path / "parts", 30, Crash(17))
    assert latest_intact(tmp_path / "parts" / "checkpoints")[0].step == 10
    parts = resume(tmp_path / "parts", SilentProgress())
    assert_same_run(whole, parts)


RULES = {
    "a target network": ["algo.objective=munchausen"],
    "lagged weights, local search, losses as priorities": [
        "algo.lag=0.9",
        "algo.lag_share=0.5",
        "algo.local_search.rounds=1",
        "replay.priority=loss",
    ],
    "paths counted by a network of its own": ['algo.backward={kind="maxent",trunk="separate"}'],
    "rewards of objects on the way": ["algo.objective=mdb"],
    "paths drawn for P_B, stored ways": ["algo.backward=reinforce", "replay.paths=stored"],
}
"""Learning rules with something of their own that a checkpoint must hold."""


@pytest.mark.parametrize("rule", list(RULES))
def test_what_a_learning_rule_remembers_is_resumed_too(tmp_path: Path, rule: str) -> None:
    text = CONFIGURATION.replace('backward = "learned"', "")
    config = parse_config(text, "run.toml", ["stop.steps=16", "log.checkpoint_every=8", *RULES[rule]])
    loaded = LoadedConfig(config, tmp_path, "run.toml")
    whole = start(loaded, SilentProgress(), tmp_path / "whole")
    with pytest.raises(RuntimeError, match="crashed"):
        start(loaded, Crash(12), tmp_path / "parts")
    assert_same_run(whole, resume(tmp_path / "parts", SilentProgress()))


def test_a_damaged_checkpoint_is_skipped_and_the_run_ends_the_same(tmp_path: Path) -> None:
    whole = begin(tmp_path / "whole", 30)
    with pytest.raises(RuntimeError, match="crashed"):
        begin(tmp_path / "parts", 30, Crash(27))
    weights = tmp_path / "parts" / "checkpoints" / "step-000020" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    listener = Listener()
    parts = resume(tmp_path / "parts", listener)
    assert len(listener.warnings) == 1
    assert "step-000020" in listener.warnings[0]
    assert_same_run(whole, parts)


def test_more_steps_can_be_asked_for_but_no_other_environment(tmp_path: Path) -> None:
    begin(tmp_path / "run", 10)
    longer = resume(tmp_path / "run", SilentProgress(), ["stop.steps=12"])
    assert latest_intact(longer.checkpoints)[0].step == 12
    with pytest.raises(ResumeError, match=r"env\.max_fragments"):
        resume(tmp_path / "run", SilentProgress(), ["env.max_fragments=4"])


def test_a_reward_that_stops_answering_can_be_mended(tmp_path: Path) -> None:
    reward = tmp_path / "reward.py"
    reward.write_text("def score(smiles):\n    raise OSError('no licence')\n")
    text = CONFIGURATION + "[[reward.term]]\nname = 'mine'\nkind = 'function'\nfunction = 'reward.py:score'\n"
    config = parse_config(text, "run.toml", ["stop.steps=8"])
    with pytest.raises(FailedRunError, match="no licence"):
        start(LoadedConfig(config, tmp_path, "run.toml"), SilentProgress(), tmp_path / "run")
    reward.write_text("def score(smiles):\n    return [1.0 for _ in smiles]\n")
    run = resume(tmp_path / "run", SilentProgress())
    with Store.open(run.store) as store:
        counts = store.counts()
    assert latest_intact(run.checkpoints)[0].step == 8
    assert counts["ok"] == counts["objects"] > 0


def test_a_changed_reward_file_is_named(tmp_path: Path) -> None:
    reward = tmp_path / "reward.py"
    reward.write_text("def score(smiles):\n    return [1.0 for _ in smiles]\n")
    text = CONFIGURATION + "[[reward.term]]\nname = 'mine'\nkind = 'function'\nfunction = 'reward.py:score'\n"
    config = parse_config(text, "run.toml", ["stop.steps=2"])
    start(LoadedConfig(config, tmp_path, "run.toml"), SilentProgress(), tmp_path / "run")
    listener = Listener()
    resume(tmp_path / "run", listener)
    assert listener.warnings == []
    reward.write_text("def score(smiles):\n    return [0.5 for _ in smiles]\n")
    resume(tmp_path / "run", listener)
    assert len(listener.warnings) == 1
    assert "reward.py has changed since the run began" in listener.warnings[0]


def test_another_vocabulary_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "fragments.csv"
    table.write_text("smiles,attachment_atoms\nCC,0 1\nc1ccccc1,0 3\n")
    config = parse_config(CONFIGURATION, "run.toml", ["stop.steps=2", "env.vocabulary=fragments.csv"])
    start(LoadedConfig(config, tmp_path, "run.toml"), SilentProgress(), tmp_path / "run")
    table.write_text("smiles,attachment_atoms\nOO,0 1\nc1ccccc1,0 3\n")
    with pytest.raises(ResumeError, match="the vocabulary has changed"):
        resume(tmp_path / "run", SilentProgress(), ["stop.steps=4"])
    assert "steps = 2" in (tmp_path / "run" / "config.toml").read_text()
    with pytest.raises(ResumeError, match="the vocabulary has changed"), trained(tmp_path / "run"):
        pass


def edit_state(run: RunDirectory, **changes: object) -> None:
    """Write the newest checkpoint again with another state, as another machine would have left it."""
    checkpoint = latest_intact(run.checkpoints)[0]
    changed = dataclasses.replace(checkpoint, state={**checkpoint.state, **changes})
    write_checkpoint(run.checkpoints, changed)


def test_a_run_from_another_kind_of_device_goes_on(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", 4)
    edit_state(run, generator_device="cuda", generator=torch.zeros(16, dtype=torch.uint8))
    listener = Listener()
    resume(tmp_path / "run", listener, ["stop.steps=6"])
    assert listener.warnings == [
        "The run was on cuda and goes on on cpu, with other random numbers from here on."
    ]
    assert latest_intact(run.checkpoints)[0].step == 6


def test_a_checkpoint_of_another_version_is_refused(tmp_path: Path) -> None:
    run = begin(tmp_path / "run", 2)
    checkpoint = latest_intact(run.checkpoints)[0]
    weights = {name: value for name, value in checkpoint.weights.items() if "offset" not in name}
    write_checkpoint(run.checkpoints, dataclasses.replace(checkpoint, weights=weights))
    with pytest.raises(ResumeError, match=r"step 2 was written by fluvial .* and does not fit this version"):
        resume(tmp_path / "run", SilentProgress(), ["stop.steps=3"])


def test_using_a_run_leaves_the_callers_random_numbers_and_threads_alone(tmp_path: Path) -> None:
    begin(tmp_path / "run", 2)
    torch.manual_seed(7)
    random.seed(7)
    expected = (torch.rand(1).item(), random.random())
    torch.manual_seed(7)
    random.seed(7)
    threads = torch.get_num_threads()
    with trained(tmp_path / "run") as run:
        run.sample(4)
    assert (torch.rand(1).item(), random.random()) == expected
    assert torch.get_num_threads() == threads


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "fluvial", *arguments]


def spawn(*arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command(*arguments), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def wait_for_lock(process: subprocess.Popen[str], folder: Path) -> None:
    """Until the process has the run; a killed holder leaves its name behind."""
    while True:
        assert process.poll() is None, process.communicate()[0]
        text = (folder / "run.lock").read_text()
        if text.endswith("}") and json.loads(text)["pid"] == process.pid:
            return
        time.sleep(0.01)


@pytest.mark.long
def test_two_hundred_steps_survive_twenty_kills(tmp_path: Path) -> None:
    whole = begin(tmp_path / "whole", 200)
    (tmp_path / "run.toml").write_text(CONFIGURATION + "[stop]\nsteps = 200\n")
    folder = tmp_path / "parts"
    moments = random.Random(0)
    process = spawn("train", str(tmp_path / "run.toml"), "--out", str(folder))
    while not (folder / "checkpoints" / "step-000000").exists():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    for _ in range(20):
        # From reading the checkpoint to some steps later, so that 20 kills end before 200 steps do.
        time.sleep(moments.uniform(0.0, 0.6))
        assert process.poll() is None, process.communicate()[0]
        process.send_signal(signal.SIGKILL)
        process.communicate()
        process = spawn("resume", str(folder))
        wait_for_lock(process, folder)
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 0, output
    assert_same_run(whole, RunDirectory(folder))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
@pytest.mark.long
def test_a_signal_saves_the_step_and_says_how_to_continue(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    (tmp_path / "run.toml").write_text(CONFIGURATION + "[stop]\nsteps = 100000\n")
    folder = tmp_path / "run"
    process = spawn("train", str(tmp_path / "run.toml"), "--out", str(folder))
    while not (folder / "checkpoints" / "step-000010").exists():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)
    process.send_signal(number)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == code
    assert f"fluvial resume {folder}" in output
    saved = latest_intact(folder / "checkpoints")[0].step
    with Store.open(folder / "store.db") as store:
        assert store.last_step == saved
    assert json.loads((folder / "fluvial-run.json").read_text())["format"] == 1
