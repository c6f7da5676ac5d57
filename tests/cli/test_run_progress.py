from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from fluvial.cli.live import LiveDisplay, picture
from fluvial.cli.output import aligned, duration, percent
from fluvial.cli.progress import JsonLines, Lines, RunProgress, Status, best_of, following
from fluvial.cli.run_log import RunLog, run_log
from fluvial.core.errors import StorageError
from fluvial.core.plain import finite
from fluvial.queue.records import ScoredObject
from fluvial.train.run_directory import RunDirectory
from fluvial.train.step import StepResult

STATUS = Status(
    name="screen",
    step=30,
    steps=120,
    device="cpu",
    metrics={"loss": 12.345, "log_z": -3.0, "reward_median": 0.25, "reward_max": 0.5, "unique_share": 0.991},
    shares={"sample": 0.5, "reward": 0.2, "learn": 0.3},
    steps_per_second=8.04,
    seconds_left=3725.0,
    best=[(0.5, "CCO")],
    is_due=True,
)


class Recorder:
    """A view that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def begin(self, run: Any, step: int) -> None:
        self.told.append(("begin", step))

    def step(self, status: Status) -> None:
        self.told.append(status)

    def note(self, event: str, text: str) -> None:
        self.told.append((event, text))

    def close(self) -> None:
        self.told.append("close")


def fake_run(folder: Path, step: int, steps: int = 25, every: int = 10, minutes: float | None = None) -> Any:
    return SimpleNamespace(
        config=SimpleNamespace(
            name="screen",
            stop=SimpleNamespace(steps=steps, minutes=minutes),
            log=SimpleNamespace(every=every),
        ),
        directory=RunDirectory(folder),
        learner=SimpleNamespace(step=step),
        problem=SimpleNamespace(device="cpu"),
        store=SimpleNamespace(
            candidates=lambda n: [ScoredObject("N", 0.7), ScoredObject("O", None, "failed")]
        ),
    )


def result(*rewards: float) -> StepResult:
    objects = [ScoredObject("C" * (index + 1), reward) for index, reward in enumerate(rewards)]
    return StepResult(objects, {"loss": 1.0}, {"sample": 0.1, "reward": 0.3, "learn": 0.1})


def test_the_line_tells_what_matters() -> None:
    assert STATUS.line() == (
        "step 30/120  loss 12.3  log Z -3.00  reward median 0.250  max 0.500  unique 99.1 %"
        "  8.0 steps/s (sample 50% reward 20% learn 30%)  1:02:05 left"
    )


def test_metrics_that_are_missing_are_left_out() -> None:
    assert replace(STATUS, metrics={}).line().startswith("step 30/120  8.0 steps/s")


def test_a_run_is_followed(tmp_path: Path) -> None:
    view, log = Recorder(), RunLog()
    progress = RunProgress([view], log)
    for step in range(1, 26):
        progress.on_step(fake_run(tmp_path, step), result(0.1, 0.3))
    progress.on_checkpoint(fake_run(tmp_path, 25))
    log.close()
    assert view.told[0] == ("begin", 0)
    steps = [status for status in view.told if isinstance(status, Status)]
    assert [status.step for status in steps] == list(range(1, 26))
    assert [status.step for status in steps if status.is_due] == [1, 10, 20, 25]
    # All that the first step tells of its time is what its parts took: 0.5 s.
    assert steps[0].steps_per_second == pytest.approx(2.0, rel=0.2)
    assert steps[0].seconds_left == pytest.approx(24 * 0.5, rel=0.2)
    assert steps[0].shares == pytest.approx({"sample": 0.2, "reward": 0.6, "learn": 0.2})
    assert steps[-1].seconds_left == 0
    assert steps[-1].best == [(0.3, "CC"), (0.1, "C")]
    assert view.told[-1] == ("checkpoint", "checkpoint after step 25")
    assert progress.last_step == 25
    assert len((tmp_path / "log.txt").read_text().splitlines()) == 5


def test_a_limit_of_minutes_bounds_the_time_left(tmp_path: Path) -> None:
    view = Recorder()
    progress = RunProgress([view], RunLog())
    progress.on_step(fake_run(tmp_path, 1, steps=10**6, minutes=0.5), result(0.1))
    assert 28 < view.told[-1].seconds_left <= 30


def test_a_resumed_run_knows_its_best(tmp_path: Path) -> None:
    view = Recorder()
    progress = RunProgress([view], RunLog())
    progress.on_resume(fake_run(tmp_path, 12), ["Checkpoint x is skipped: damaged."])
    progress.on_step(fake_run(tmp_path, 13), result(0.8))
    assert view.told[:3] == [
        ("begin", 12),
        ("warning", "warning: Checkpoint x is skipped: damaged."),
        ("resume", f"{tmp_path} goes on after step 12"),
    ]
    assert view.told[3].best == [(0.8, "C"), (0.7, "N")]


def test_a_run_that_spent_its_calls_says_so(tmp_path: Path) -> None:
    view = Recorder()
    progress = RunProgress([view], RunLog())
    progress.on_step(fake_run(tmp_path, 13), result(0.8))
    progress.on_spent(fake_run(tmp_path, 13))
    event, text = view.told[-1]
    assert event == "warning"
    assert "max_calls of a reward term are spent" in text


def test_the_best_are_different_and_in_order() -> None:
    objects = [ScoredObject("B", 0.5), ScoredObject("A", 0.5), ScoredObject("X", None, "failed")]
    assert best_of([(0.9, "Z"), (0.5, "B"), (0.1, "Y")], objects) == [(0.9, "Z"), (0.5, "A"), (0.5, "B")]


def test_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    view = Lines()
    view.step(STATUS)
    view.step(replace(STATUS, is_due=False))
    view.note("checkpoint", "not shown")
    view.note("warning", "warning: shown")
    assert capsys.readouterr().out == f"{STATUS.line()}\nwarning: shown\n"


def test_json_lines_hold_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    JsonLines().step(replace(STATUS, metrics={"loss": float("nan")}, steps_per_second=float("inf")))
    event = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(name))
    assert event["metrics"] == {"loss": None}
    assert event["steps_per_second"] is None


def test_the_display_on_a_terminal(tmp_path: Path) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    view = LiveDisplay(console)
    view.begin(fake_run(tmp_path, 0), 0)
    view.step(STATUS)
    view.note("checkpoint", "not shown")
    view.note("warning", "warning: [red]shown as it is")
    view.close()
    text = screen.getvalue()
    for words in ("step 30/120", "25%", "1:02:05 left", "8.0 steps/s", "loss 12.3", "0.5000  CCO"):
        assert words in text
    assert "not shown" not in text
    assert "warning: [red]shown as it is" in text


def test_smiles_are_no_markup() -> None:
    screen = io.StringIO()
    Console(file=screen, width=80).print(picture(replace(STATUS, best=[(0.5, "C[red]C[/x]")])))
    assert "C[red]C[/x]" in screen.getvalue()


def test_views_are_closed_when_a_run_breaks(tmp_path: Path) -> None:
    view = Recorder()
    with pytest.raises(RuntimeError), following(tmp_path, [view]):
        raise RuntimeError
    assert view.told == ["close"]


def test_the_log_names_what_ended_a_new_run(tmp_path: Path) -> None:
    with pytest.raises(StorageError), run_log(tmp_path / "run"):
        RunDirectory.create(tmp_path / "run")
        raise StorageError("the disk is full")
    assert (tmp_path / "run" / "log.txt").read_text().endswith("ERROR the disk is full\n")


def test_the_log_keeps_a_trace_and_says_where(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as caught, run_log(tmp_path / "run"):
        RunDirectory.create(tmp_path / "run")
        raise ZeroDivisionError
    assert caught.value.__notes__ == [f"The trace is in {tmp_path}/run/log.txt."]
    assert "Traceback" in (tmp_path / "run" / "log.txt").read_text()


def test_without_a_run_there_is_no_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError) as caught, run_log(tmp_path / "run") as log:
        log.warning("told to nobody")
        raise ZeroDivisionError
    assert capsys.readouterr() == ("", "")
    assert not hasattr(caught.value, "__notes__")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_does_not_end_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    (tmp_path / "log.txt").symlink_to("/dev/full")
    log = RunLog()
    log.attach(RunDirectory(tmp_path))
    log.info("lost")
    assert capsys.readouterr().err == ""


def test_texts_for_people() -> None:
    assert aligned([("a", "1"), ("long", "2"), ("", "3")]) == "a     1\nlong  2\n      3"
    assert [duration(seconds) for seconds in (-5, 0, 59.6, 3661)] == [
        "0:00:00",
        "0:00:00",
        "0:01:00",
        "1:01:01",
    ]
    assert (percent(0.9734), percent(float("nan"))) == ("97.3 %", "")
    assert finite({"a": [1.0, float("inf")], "b": "x"}) == {"a": [1.0, None], "b": "x"}
