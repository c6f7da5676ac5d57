from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from fluvial.queue.store import Store
from fluvial.train.run_directory import RunDirectory

LONG = "stop.steps=100000"


def wait_for_step(process: subprocess.Popen[str], step: int) -> list[dict[str, Any]]:
    """What a run with --json tells until a step is done."""
    events = []
    assert process.stdout is not None
    for line in process.stdout:
        events.append(json.loads(line))
        if events[-1]["event"] == "step" and events[-1]["step"] >= step:
            return events
    raise AssertionError(f"the run ended early: {events} {process.communicate()[1]}")


def steps_recorded(folder: Path) -> list[int]:
    with Store.open(folder / "store.db") as store:
        return [step for step, _ in store.metric_series(["loss"])["loss"]]


def test_a_run_leaves_everything_in_its_folder(call, tiny: Path) -> None:
    result = call("train", tiny, "--out", "here")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert [line.split("  ")[0] for line in lines[:2]] == ["step 1/6", "step 6/6"]
    assert re.search(
        r"loss \S+  log Z \S+  reward median 0\.\d+  max 0\.\d+  unique .* steps/s \(sample", lines[0]
    )
    assert "here/candidates.csv" in result.stdout
    names = {path.name for path in Path("here").iterdir()}
    assert {
        "config.toml",
        "environment.json",
        "store.db",
        "checkpoints",
        "candidates.csv",
        "top.sdf",
    } <= names
    log = Path("here/log.txt").read_text().splitlines()
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO step 1/6  loss", log[0])
    assert log[-1].endswith("INFO checkpoint after step 6")


def test_the_default_folder_is_beside_the_configuration(
    call, tiny: Path, monkeypatch, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert call("train", "../run.toml", "name=second", "--steps", 1, "--quiet").exit_code == 0
    assert (tmp_path / "runs" / "second" / "store.db").exists()


def test_quiet_prints_nothing(call, tiny: Path) -> None:
    result = call("train", tiny, "--out", "here", "--quiet", "--steps", 2)
    assert (result.exit_code, result.output) == (0, "")
    assert Path("here/log.txt").read_text().count("step 2/2") == 1


def test_each_json_line_can_be_read(call, tiny: Path) -> None:
    result = call("train", tiny, "--out", "here", "--json", "log.every=2")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["event"] for event in events] == ["begin", *["step"] * 4, "checkpoint", "done"]
    assert events[0] == {"event": "begin", "run": "here", "device": "cpu", "step": 0, "steps": 6}
    assert [event["step"] for event in events[1:5]] == [1, 2, 4, 6]
    for event in events[1:5]:
        assert {"loss", "log_z", "reward_median", "unique_share"} <= set(event["metrics"])
        assert event["steps_per_second"] > 0
        assert sum(event["shares"].values()) == pytest.approx(1.0)
    assert events[-1] == {"event": "done", "run": "here", "step": 6}


def test_a_resumed_run_goes_on(call, tiny: Path) -> None:
    assert call("train", tiny, "--out", "here", "--steps", 3, "--quiet").exit_code == 0
    result = call("resume", "here", "--steps", 5, "log.every=1")
    assert result.exit_code == 0
    assert result.stdout.startswith("here goes on after step 3\nstep 4/5")
    assert steps_recorded(Path("here")) == [1, 2, 3, 4, 5]
    again = call("resume", "here", "--json")
    events = [json.loads(line) for line in again.stdout.splitlines()]
    assert [event["event"] for event in events] == ["begin", "resume", "done"]
    assert (
        events[1]["text"]
        == "here goes on after step 5; that is all of its 5 steps, ask for more with --steps"
    )


def test_a_damaged_checkpoint_is_skipped_with_a_warning(call, tiny: Path) -> None:
    assert (
        call("train", tiny, "--out", "here", "--steps", 4, "--quiet", "log.checkpoint_every=2").exit_code == 0
    )
    state = Path("here/checkpoints/step-000004/state.pt")
    state.write_bytes(state.read_bytes()[:-1])
    result = call("resume", "here", "--steps", 4)
    assert result.exit_code == 0
    assert "warning: Checkpoint here/checkpoints/step-000004 is skipped: its state.pt has" in result.stdout
    assert "goes on after step 2" in result.stdout
    assert "WARNING" in Path("here/log.txt").read_text()


def test_the_whole_run_also_for_a_grid(call, tiny: Path) -> None:
    grid = Path("grid.toml")
    grid.write_text('[env]\nkind = "hypergrid"\nside = 4\n[policy]\nwidth = 8\n[stop]\nsteps = 3\n')
    result = call("train", grid, "--out", "grid")
    assert result.exit_code == 0
    assert Path("grid/candidates.csv").read_text().startswith("rank,object,reward,")
    assert not Path("grid/top.sdf").exists()
    drawn = call("sample", "grid", "-n", 4).stdout.splitlines()
    assert drawn[0] == "object,reward,status,reason,count"
    assert call("report", "grid").exit_code == 0


def test_tensorboard_gets_the_metrics(call, tiny: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    settings = ("log.tensorboard=true", "log.every=3", "--quiet")
    assert call("train", tiny, "--out", "here", *settings).exit_code == 0
    found = EventAccumulator(str(RunDirectory(Path("here")).tensorboard)).Reload()
    assert [event.step for event in found.Scalars("loss")] == [1, 3, 6]
    assert sorted(found.Tags()["images"]) == ["molecules/best", "molecules/latest"]
    (image,) = found.Images("molecules/best")
    assert (image.step, image.width) == (6, 960)
    assert image.encoded_image_string.startswith(b"\x89PNG")


def test_without_tensorboard_nothing_is_written(call, tiny: Path, monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = call("train", tiny, "--out", "here", "log.tensorboard=true")
    assert result.exit_code == 2
    assert "pip install 'fluvial[tensorboard]'" in result.stderr
    assert not Path("here").exists()


def test_what_breaks_a_run_is_in_its_log(call, tiny: Path, monkeypatch) -> None:
    monkeypatch.setattr("fluvial.train.step.learn", lambda *arguments: 1 / 0)
    result = call("train", tiny, "--out", "here")
    assert result.exit_code == 1
    sentence = "error: unexpected ZeroDivisionError: division by zero. The trace is in here/log.txt.\n"
    assert result.stderr == sentence
    log = Path("here/log.txt").read_text()
    assert "ERROR unexpected error\nTraceback" in log
    assert log.endswith("ZeroDivisionError: division by zero\n")


def test_an_error_of_a_run_that_was_there_does_not_touch_its_log(call, trained_run: Path, tiny: Path) -> None:
    before = (trained_run / "log.txt").read_bytes()
    assert call("train", tiny, "--out", trained_run).exit_code == 5
    assert (trained_run / "log.txt").read_bytes() == before


def test_a_reward_that_stops_answering_ends_the_run(call, tiny: Path) -> None:
    Path("reward.py").write_text("def score(smiles):\n    raise ValueError('no licence')\n")
    override = 'reward.term=[{kind="function", function="reward.py:score"}]'
    result = call("train", tiny, override, "--out", "here", "--quiet")
    assert result.exit_code == 1
    assert "no object of the last 5 steps got a reward" in result.stderr
    assert "no licence" in result.stderr
    assert "no licence" in Path("here/log.txt").read_text()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_a_signal_saves_the_run(call, command, tiny: Path, number: signal.Signals, code: int) -> None:
    process = command("train", "run.toml", LONG, "log.every=1", "--out", "here", "--json")
    wait_for_step(process, 3)
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert re.fullmatch(
        rf"error: stopped by {number.name} after step \d+; everything is saved\."
        r" Continue with: fluvial resume here\n",
        errors,
    )
    assert json.loads(output.splitlines()[-1])["event"] == "checkpoint"
    done = steps_recorded(Path("here"))[-1]
    assert f"after step {done}" in errors
    assert call("resume", "here", "--steps", done + 2, "--quiet").exit_code == 0
    assert steps_recorded(Path("here")) == list(range(1, done + 3))


def test_a_second_trainer_is_refused(call, command, tiny: Path) -> None:
    process = command("train", "run.toml", LONG, "log.every=1", "--out", "here", "--json")
    try:
        wait_for_step(process, 1)
        started = time.monotonic()
        result = call("resume", "here")
        assert time.monotonic() - started < 10
        assert result.exit_code == 5
        assert f"here is in use by process {process.pid}" in result.stderr
        assert call("train", tiny, "--out", "here").exit_code == 5
        assert call("report", "here", "-n", 5).exit_code == 0
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 75


def test_a_killed_run_goes_on_from_its_checkpoint(call, command, tiny: Path) -> None:
    process = command(
        "train", "run.toml", LONG, "log.every=1", "log.checkpoint_every=2", "--out", "here", "--json"
    )
    wait_for_step(process, 5)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    result = call("resume", "here", "--steps", 8, "log.every=1")
    assert result.exit_code == 0
    assert steps_recorded(Path("here")) == list(range(1, max(8, steps_recorded(Path("here"))[-1]) + 1))


def test_a_run_outlives_its_reader(command, tiny: Path) -> None:
    process = command("train", "run.toml", "--out", "here", "--steps", 12, "log.every=1")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert steps_recorded(Path("here"))[-1] == 12
