from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fluvial.cli.metrics_file import MetricsFile, lines_until
from fluvial.cli.progress import Status
from fluvial.cli.wandb_sender import follow
from fluvial.train.run_directory import RunDirectory


def fake_run(folder: Path) -> Any:
    return SimpleNamespace(
        config=SimpleNamespace(stop=SimpleNamespace(steps=9)),
        directory=RunDirectory(folder),
        problem=SimpleNamespace(device="cpu"),
    )


def at(step: int, is_due: bool = True) -> Status:
    return Status("screen", step, 9, "cpu", {"loss": float(step)}, {}, 1.0, 0.0, [], is_due)


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def told(folder: Path) -> list[tuple[str, int | None]]:
    return [(record["event"], record.get("step")) for record in records(folder)]


def test_due_steps_and_events_are_lines_with_a_time(tmp_path: Path) -> None:
    before = time.time()
    view = MetricsFile()
    view.begin(fake_run(tmp_path), 0)
    view.step(at(1))
    view.step(at(2, is_due=False))
    view.note("checkpoint", "checkpoint after step 2")
    view.close()
    assert told(tmp_path) == [("begin", 0), ("step", 1), ("checkpoint", None), ("end", None)]
    assert records(tmp_path)[1]["metrics"] == {"loss": 1.0}
    assert all(before <= record["time"] <= time.time() for record in records(tmp_path))


def test_a_resumed_run_forgets_its_abandoned_course(tmp_path: Path) -> None:
    first = MetricsFile()
    first.begin(fake_run(tmp_path), 0)
    for step in (1, 2, 3):
        first.step(at(step))
    first.close()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"event": "step", "st')
    again = MetricsFile()
    again.begin(fake_run(tmp_path), 2)
    again.step(at(3))
    assert told(tmp_path) == [("begin", 0), ("step", 1), ("step", 2), ("begin", 2), ("step", 3)]


def test_a_line_that_was_broken_off_costs_no_other(tmp_path: Path) -> None:
    whole = [b'{"event": "step", "step": 1}\n', b'{"event": "step", "step": 2}\n', b'{"event": "end"}\n']
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(whole[0] + b'{"event": "st' + whole[0] + whole[1] + whole[2] + b'{"ev')
    assert list(lines_until(path, 2)) == whole


def test_a_full_disk_does_not_end_a_run(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    (tmp_path / "metrics.jsonl").symlink_to("/dev/full")
    view = MetricsFile()
    view.begin(fake_run(tmp_path), 0)
    view.step(at(1))
    view.close()


def test_a_view_that_never_began_closes(tmp_path: Path) -> None:
    MetricsFile().close()
    assert list(tmp_path.iterdir()) == []


def test_a_growing_file_is_followed_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"event": "old"}\n{"event": "step", "step"')

    def write_on() -> None:
        time.sleep(0.1)
        with path.open("a") as file:
            file.write(': 1}\nno JSON\n{"event": "end"}\n{"event": "later"}\n')

    writer = threading.Thread(target=write_on)
    writer.start()
    found = list(follow(path, len('{"event": "old"}\n'), lambda: True))
    writer.join()
    assert found == [{"event": "step", "step": 1}, {"event": "unreadable"}]


def test_following_ends_with_the_process_that_writes(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"event": "step", "step": 1}\n{"event": "bro')
    assert list(follow(path, 0, lambda: False)) == [{"event": "step", "step": 1}]
