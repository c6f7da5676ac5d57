"""A training run and its workers on one machine, each worker with a GPU of its own where there are some."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fluvial.core.errors import FailedRunError, StorageError
from fluvial.launch.plan import ClusterPlan, TrainerConfig, require_ways, worker_words

LOOK_SECONDS = 0.1
MOST_RESTARTS = 5
"""Of one worker; then the fault is not a passing one. Arbitrary."""
REST_SECONDS = 1.0
"""Before the first restart; doubled by each further one. Arbitrary."""


@dataclass
class Member:
    """A process of the plan."""

    name: str
    words: list[str]
    environment: dict[str, str]
    grace_seconds: float
    is_trainer: bool = False
    restarts: int = 0
    again_at: float = 0.0
    """When it is started again, by the monotonic clock."""
    process: subprocess.Popen[bytes] | None = None
    code: int | None = None
    """Exit code, once it has ended for good."""


@dataclass
class LocalCluster:
    """All processes of a plan on this machine.

    A worker that crashes is started again, a few times and after a rest. The workers end when the trainer has
    ended; without a trainer, each when it has nothing left to do.
    """

    members: list[Member]
    base: Path
    """Folder that they run in."""
    logs: Path

    def run(self, stop: threading.Event) -> dict[str, int]:
        """Exit code of each process by name, after all have ended.

        Raises:
            StorageError: the folder of logs cannot be made.
            FailedRunError: a program cannot be started.
        """
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{self.logs} cannot be made: {error.strerror}") from error
        try:
            while not stop.is_set() and self._alive():
                stop.wait(LOOK_SECONDS)
        finally:
            self._end()
        return {member.name: member.code if member.code is not None else 0 for member in self.members}

    def _alive(self) -> bool:
        """Whether anything is still to be waited for; starts what is due."""
        for member in self.members:
            if member.code is not None:
                continue
            if member.process is None:
                if time.monotonic() >= member.again_at:
                    self._start(member)
            elif (code := member.process.poll()) is not None:
                member.process = None
                self._after(member, code)
        trainers = [member for member in self.members if member.is_trainer]
        waited = trainers or self.members
        return any(member.code is None for member in waited)

    def _after(self, member: Member, code: int) -> None:
        may_again = code != 0 and not member.is_trainer and member.restarts < MOST_RESTARTS
        if not may_again:
            member.code = code
            return
        member.again_at = time.monotonic() + REST_SECONDS * 2.0**member.restarts
        member.restarts += 1

    def _start(self, member: Member) -> None:
        with (self.logs / f"{member.name}.log").open("ab") as log:
            try:
                member.process = subprocess.Popen(  # noqa: S603 - an argument list, no shell
                    member.words,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=self.base,
                    env={**os.environ, **member.environment},
                    start_new_session=True,
                )
            except OSError as error:
                raise FailedRunError(f"{member.words[0]} cannot be started: {error.strerror}") from error

    def _end(self) -> None:
        """Ask all to end, and kill what has not after its time of grace."""
        running = [member for member in self.members if member.process is not None]
        for member in running:
            _signal(member, signal.SIGTERM)
        started = time.monotonic()
        for member in running:
            assert member.process is not None
            left = started + member.grace_seconds - time.monotonic()
            try:
                member.code = member.process.wait(max(0.0, left))
            except subprocess.TimeoutExpired:
                _signal(member, signal.SIGKILL)
                member.code = member.process.wait()
            member.process = None


def local_cluster(plan: ClusterPlan, base: Path, gpus: Sequence[str] = ()) -> LocalCluster:
    """The processes of a plan, not yet started.

    Args:
        plan: what to run.
        base: folder that relative paths start from.
        gpus: numbers or names of the GPUs that workers get in turn, as many each as their group asks for; a
            trainer that asks for some gets the first ones. Where empty, nothing is said about GPUs.

    Raises:
        ConfigError: a group says no way to evaluate, and no run does.
    """
    if not _is_run(plan, base):
        require_ways(plan)
    left, turn = list(gpus), 0
    members: list[Member] = []
    if (trainer := plan.trainer) is not None:
        own, left = left[: trainer.gpus], left[trainer.gpus :] or left
        members.append(
            Member(
                "trainer",
                _trainer_words(trainer, base),
                _environment(trainer.environment, trainer.cpus, own if gpus else None),
                trainer.grace_seconds,
                is_trainer=True,
            )
        )
    for group in plan.workers:
        for number in range(group.n_workers):
            own = [left[(turn + place) % len(left)] for place in range(group.gpus)] if left else []
            turn += group.gpus
            environment = _environment(group.environment, group.cpus, own if gpus else None)
            words = worker_words(plan.place, group)
            members.append(Member(f"{group.name}-{number}", words, environment, group.grace_seconds))
    return LocalCluster(members, base, base / plan.folder / "logs")


def _is_run(plan: ClusterPlan, base: Path) -> bool:
    """Whether workers meet in the folder of a run, whose terms say how objects are evaluated."""
    place = base / plan.place
    is_ours = plan.trainer is not None and place == base / plan.trainer.out
    return is_ours or (place / "config.toml").exists()


def _trainer_words(trainer: TrainerConfig, base: Path) -> list[str]:
    if (base / Path(trainer.out).expanduser() / "config.toml").exists():
        return [*trainer.command, "resume", trainer.out]
    return [*trainer.command, "train", trainer.config, "--out", trainer.out]


def _environment(given: Mapping[str, str], cpus: int, gpus: Sequence[str] | None) -> dict[str, str]:
    own = {"OMP_NUM_THREADS": str(cpus)}
    if gpus is not None:
        own["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
    return own | dict(given)


def _signal(member: Member, number: int) -> None:
    assert member.process is not None
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if number == signal.SIGKILL:
            os.killpg(member.process.pid, number)
        else:
            member.process.send_signal(number)
