"""The folder of one run: its paths and its lock."""

from __future__ import annotations

import fcntl
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fluvial.core.errors import StorageError
from fluvial.core.files import storage_error, sync, write_synced

FORMAT = 1
"""Version of the layout below; a run with a larger number is refused."""
MARKER = "fluvial-run.json"
PACKAGES = ("fluvial", "torch", "rdkit", "numpy", "SQLAlchemy", "pyarrow", "safetensors")
GIT_TIMEOUT_SECONDS = 5.0
"""Arbitrary; reading the commit takes milliseconds on a local disk."""


@dataclass(frozen=True)
class RunDirectory:
    """The places of everything that a run leaves on disk."""

    path: Path

    @property
    def marker(self) -> Path:
        """JSON that says that the folder is one of ours, with the format version."""
        return self.path / MARKER

    @property
    def lock_file(self) -> Path:
        """Locked by the trainer at work; holds its process number, host and start."""
        return self.path / "run.lock"

    @property
    def config(self) -> Path:
        """The resolved configuration, TOML."""
        return self.path / "config.toml"

    @property
    def environment(self) -> Path:
        """What `environment_facts` found, JSON."""
        return self.path / "environment.json"

    @property
    def log(self) -> Path:
        """Log of the run."""
        return self.path / "log.txt"

    @property
    def store(self) -> Path:
        """Objects, rewards, samples and metrics, SQLite (see `fluvial.queue.store`)."""
        return self.path / "store.db"

    @property
    def replay(self) -> Path:
        """Folder of replay that is kept on the disk (see `fluvial.replay.disk`)."""
        return self.path / "replay"

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoints (see `fluvial.train.checkpoint`)."""
        return self.path / "checkpoints"

    @property
    def metrics(self) -> Path:
        """What the run told of its steps, one JSON object a line."""
        return self.path / "metrics.jsonl"

    @property
    def wandb(self) -> Path:
        """Folder of what is sent to Weights & Biases."""
        return self.path / "wandb"

    @property
    def tensorboard(self) -> Path:
        """Folder of TensorBoard's event files."""
        return self.path / "tensorboard"

    @property
    def candidates_csv(self) -> Path:
        """All objects, best first, as a table for spreadsheets."""
        return self.path / "candidates.csv"

    @property
    def candidates_parquet(self) -> Path:
        """The same table with types."""
        return self.path / "candidates.parquet"

    @property
    def top_sdf(self) -> Path:
        """The best molecules with 2D coordinates."""
        return self.path / "top.sdf"

    @property
    def pareto_csv(self) -> Path:
        """The objects that no other one beats in all reward terms, where there are two or more."""
        return self.path / "pareto.csv"

    @property
    def columns(self) -> Path:
        """What the columns of the tables mean."""
        return self.path / "COLUMNS.md"

    @property
    def evaluation(self) -> Path:
        """What was measured of the trained policy last, JSON."""
        return self.path / "evaluation.json"

    @property
    def report(self) -> Path:
        """The page about the run."""
        return self.path / "report.html"

    @classmethod
    def create(cls, path: Path) -> RunDirectory:
        """A new run in `path`, which is made with its parents, or exists and is empty.

        Raises:
            StorageError: `path` holds a run or anything else, is a file, or cannot be written.
        """
        run = cls(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            if run.marker.exists():
                raise _exists(path)
            if any(path.iterdir()):
                raise StorageError(
                    f"{path} is not empty and not a run of Fluvial. Choose a new or empty folder."
                )
            # Of two programs that start at once, exactly one can make this new file.
            write_synced(run.marker, json.dumps({"format": FORMAT, "created": _now()}).encode())
            run.checkpoints.mkdir()
            sync(path)
        except FileExistsError as error:
            raise (_exists(path) if run.marker.exists() else storage_error(error, path)) from error
        except OSError as error:
            raise storage_error(error, path) from error
        return run

    @classmethod
    def open_existing(cls, path: Path) -> RunDirectory:
        """The run in `path`.

        Raises:
            StorageError: there is no run, its marker is damaged, or a newer version of Fluvial made it.
        """
        run = cls(path)
        try:
            content = json.loads(run.marker.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            message = (
                f"{path} is not a run of Fluvial: there is no {MARKER} in it. Check the path of the run."
            )
            raise StorageError(message) from None
        except OSError as error:
            raise storage_error(error, run.marker) from error
        except ValueError:
            content = None
        version = content.get("format") if isinstance(content, dict) else None
        if type(version) is not int:
            expected = json.dumps({"format": FORMAT})
            raise StorageError(
                f"{run.marker} is damaged. If {path} is a run of yours, write {expected} into it."
            )
        if version > FORMAT:
            raise StorageError(
                f"{path} has run format {version}, and this Fluvial reads up to {FORMAT}. Update Fluvial."
            )
        return run

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep every other trainer out of the run; a killed process loses the lock at once.

        Raises:
            StorageError: another process has the lock; the message names it.
        """
        try:
            descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise storage_error(error, self.lock_file) from error
        try:
            _claim(self, descriptor)
            try:
                yield
            finally:
                os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)


def environment_facts(folder: Path | None = None) -> dict[str, Any]:
    """Versions, platform, host and git commit (of the repository around `folder`), for environment.json.

    A package that is not installed, and the commit outside of a repository, are left out.
    """
    facts: dict[str, Any] = {
        "created": _now(),
        "host": platform.node(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "versions": package_versions(),
    }
    commit = _git_commit(folder or Path.cwd())
    return {**facts, "git_commit": commit} if commit else facts


def package_versions() -> dict[str, str]:
    """Installed version of each package that can change the course of a run."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _git_commit(folder: Path) -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    command = [git, "-C", str(folder), "rev-parse", "--verify", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_TIMEOUT_SECONDS)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _claim(run: RunDirectory, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        facts = {"pid": os.getpid(), "host": platform.node(), "started": time.time()}
        os.write(descriptor, json.dumps(facts).encode())
    except BlockingIOError:
        raise StorageError(f"{run.path} is in use by {_holder(run.lock_file)}.") from None
    except OSError as error:
        raise storage_error(error, run.lock_file) from error


def _holder(lock_file: Path) -> str:
    try:
        facts = json.loads(lock_file.read_text(encoding="utf-8"))
        age = max(0.0, time.time() - float(facts["started"])) / 60
        who = f"process {facts['pid']} on {facts['host']}"
        return f"{who} for {age:.1f} minutes. Wait for its end or stop it"
    except (OSError, ValueError, KeyError, TypeError):
        # The holder may be just about to write its name.
        return "another process, which started or ended this moment. Try again"


def _exists(path: Path) -> StorageError:
    return StorageError(
        f"{path} already holds a run. Resume it with `fluvial resume {path}` or choose another folder."
    )


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
