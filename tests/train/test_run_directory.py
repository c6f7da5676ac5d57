from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fluvial.core.errors import StorageError
from fluvial.train.run_directory import (
    FORMAT,
    RunDirectory,
    environment_facts,
)


def disk_full(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_new_run_is_marked_and_opens_again(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "runs" / "first")
    assert run == RunDirectory(tmp_path / "runs" / "first")
    assert sorted(entry.name for entry in run.path.iterdir()) == ["checkpoints", "fluvial-run.json"]
    assert json.loads(run.marker.read_text())["format"] == FORMAT
    assert RunDirectory.open_existing(run.path) == run


def test_the_paths(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    places = {
        run.marker: "fluvial-run.json",
        run.lock_file: "run.lock",
        run.config: "config.toml",
        run.environment: "environment.json",
        run.log: "log.txt",
        run.store: "store.db",
        run.checkpoints: "checkpoints",
        run.tensorboard: "tensorboard",
        run.metrics: "metrics.jsonl",
        run.wandb: "wandb",
        run.candidates_csv: "candidates.csv",
        run.candidates_parquet: "candidates.parquet",
        run.top_sdf: "top.sdf",
        run.columns: "COLUMNS.md",
        run.report: "report.html",
    }
    assert {path.relative_to(tmp_path).as_posix(): name for path, name in places.items()} == {
        name: name for name in places.values()
    }


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    assert RunDirectory.create(tmp_path).marker.exists()


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(StorageError, match=f"{tmp_path} is not empty and not a run of Fluvial"):
        RunDirectory.create(tmp_path)
    assert [entry.read_text() for entry in tmp_path.iterdir()] == ["years of work"]


def test_an_existing_run_is_refused_with_the_way_to_resume_it(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path / "run")
    with pytest.raises(
        StorageError, match=f"already holds a run. Resume it with `fluvial resume {tmp_path}/run`"
    ):
        RunDirectory.create(tmp_path / "run")


@pytest.mark.parametrize("below", ["", "run", "a/b"])
def test_a_file_in_the_way_is_named(tmp_path: Path, below: str) -> None:
    file = tmp_path / "file"
    file.write_text("content")
    with pytest.raises(StorageError, match=f"{file} is a file, not a folder. Choose another folder"):
        RunDirectory.create(file / below)
    assert file.read_text() == "content"


def test_missing_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *args: object, **options: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(
        StorageError, match=r"run: access was refused \(Permission denied\). Change the permissions"
    ):
        RunDirectory.create(tmp_path / "run")


def test_a_run_that_could_not_be_marked_can_be_created_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", disk_full)
        with pytest.raises(StorageError, match="no room is left"):
            RunDirectory.create(tmp_path / "run")
    assert RunDirectory.create(tmp_path / "run").marker.exists()


def test_of_many_that_start_at_once_exactly_one_gets_the_folder(tmp_path: Path) -> None:
    for attempt in range(20):
        barrier = threading.Barrier(4)
        winners: list[int] = []

        def start(number: int, path: Path, barrier: threading.Barrier, winners: list[int]) -> None:
            barrier.wait()
            try:
                RunDirectory.create(path)
            except StorageError:
                return
            winners.append(number)

        arguments = (tmp_path / str(attempt), barrier, winners)
        threads = [threading.Thread(target=start, args=(number, *arguments)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(winners) == 1


@pytest.mark.parametrize("name", ["missing", "empty", "file"])
def test_what_is_no_run_is_not_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(
        StorageError, match=f"{name} is not a run of Fluvial: there is no fluvial-run.json in it"
    ):
        RunDirectory.open_existing(tmp_path / name)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": "1"}', '{"format": true}', "\x00"])
def test_a_damaged_marker_is_named(tmp_path: Path, content: str) -> None:
    run = RunDirectory.create(tmp_path)
    run.marker.write_text(content)
    with pytest.raises(
        StorageError, match=r"fluvial-run.json is damaged. .* write \{\"format\": 1\} into it"
    ):
        RunDirectory.open_existing(tmp_path)


def test_a_newer_run_is_refused_with_both_numbers(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path)
    run.marker.write_text('{"format": 7}')
    with pytest.raises(StorageError, match=f"run format 7, and this Fluvial reads up to {FORMAT}"):
        RunDirectory.open_existing(tmp_path)


LOCKING = """
import sys
from pathlib import Path
from fluvial.train.run_directory import RunDirectory
with RunDirectory(Path(sys.argv[1])).lock():
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_second_trainer_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path)
    command = [sys.executable, "-c", LOCKING, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "locked\n"
        pattern = rf"is in use by process {first.pid} on {os.uname().nodename} for 0\.\d minutes"
        with pytest.raises(StorageError, match=pattern), run.lock():
            pass
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    with run.lock():
        assert json.loads(run.lock_file.read_text())["pid"] == os.getpid()
        with pytest.raises(StorageError, match=f"process {os.getpid()} "), run.lock():
            pass
    with run.lock():
        pass


def test_a_lock_whose_holder_has_not_written_its_name_yet(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path)
    with run.lock():
        run.lock_file.write_text("")
        with pytest.raises(StorageError, match="in use by another process"), run.lock():
            pass


def test_the_lock_is_released_when_the_work_fails(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path)
    with pytest.raises(RuntimeError, match="work failed"), run.lock():
        raise RuntimeError("work failed")
    with run.lock():
        pass


def test_environment_facts(tmp_path: Path) -> None:
    facts = environment_facts(tmp_path)
    assert facts["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"fluvial", "torch", "rdkit", "numpy"} <= facts["versions"].keys()
    assert facts["host"] == os.uname().nodename
    assert "git_commit" not in facts
    assert json.loads(json.dumps(facts)) == facts


def test_the_commit_of_the_surrounding_repository(tmp_path: Path) -> None:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q"], [*identity, "commit", "-q", "--allow-empty", "-m", "start"]):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True)
    (tmp_path / "runs").mkdir()
    commit = environment_facts(tmp_path / "runs")["git_commit"]
    assert len(commit) == 40
    assert int(commit, 16) > 0


def test_the_run_directory_needs_no_torch() -> None:
    program = "import sys, fluvial.train.run_directory; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
