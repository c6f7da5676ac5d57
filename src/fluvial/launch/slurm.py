"""Job files for SLURM, and their submission."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from fluvial.core.errors import ConfigError, FailedRunError, StorageError
from fluvial.launch.plan import (
    ClusterPlan,
    ResourcesConfig,
    TrainerConfig,
    WorkersConfig,
    is_server,
    require_ways,
    worker_words,
)

SUBMIT_SECONDS = 60.0
"""Longest time for one `sbatch`; arbitrary."""


def job_files(plan: ClusterPlan, base: Path) -> dict[str, str]:
    """Text of each job file by its name: the trainer, and an array for each group of workers.

    Args:
        plan: what to run.
        base: folder that relative paths of the plan start from.

    Raises:
        ConfigError: the machines of a cluster could not meet at `place`, or a group says no way to evaluate.
    """
    if not is_server(plan.place):
        raise ConfigError(
            f"place = '{plan.place}': the machines of a cluster meet in a PostgreSQL database, "
            "as postgresql://me@dbhost/fluvial; a file serves one machine"
        )
    # The configuration of a run, which would say how, is found by its folder and not by a database.
    require_ways(plan)
    logs = base / plan.folder / "logs"
    files = {f"{group.name}.sbatch": worker_job(plan.place, group, base, logs) for group in plan.workers}
    if plan.trainer is not None:
        files = {"trainer.sbatch": trainer_job(plan.trainer, base, logs), **files}
    return files


def worker_job(place: str, group: WorkersConfig, base: Path, logs: Path) -> str:
    """The array of a group of workers. A task that is pre-empted gives its jobs back and is requeued."""
    limit = "" if group.most_at_once is None else f"%{group.most_at_once}"
    head = [f"--array=0-{group.n_workers - 1}{limit}", f"--output={logs / '%x-%A_%a.log'}"]
    words = worker_words(place, group)
    return _script(group.name, group, head, [f"cd {shlex.quote(str(base))}", f"exec {shlex.join(words)}"])


def trainer_job(trainer: TrainerConfig, base: Path, logs: Path) -> str:
    """The job of the training run. When its time is over it saves, is requeued, and goes on."""
    program = shlex.join(trainer.command)
    out = shlex.quote(trainer.out)
    body = [
        f"cd {shlex.quote(str(base))}",
        # A signal reaches the shell alone, which hands it on and waits for what is saved.
        f"if [ -e {out}/config.toml ]; then",
        f"  {program} resume {out} &",
        "else",
        f"  {program} train {shlex.quote(trainer.config)} --out {out} &",
        "fi",
        "child=$!",
        "trap 'kill -TERM \"$child\"' TERM",
        "code=0",
        'wait "$child" || code=$?',
        'while kill -0 "$child" 2>/dev/null; do code=0; wait "$child" || code=$?; done',
        "# 75: saved before the end, to be continued.",
        'if [ "$code" -eq 75 ]; then scontrol requeue "$SLURM_JOB_ID"; fi',
        'exit "$code"',
    ]
    return _script("trainer", trainer, [f"--output={logs / '%x-%j.log'}"], body)


def _script(name: str, needs: ResourcesConfig, head: Sequence[str], body: Sequence[str]) -> str:
    lines = [
        "#!/bin/bash",
        *(f"#SBATCH {option}" for option in (*_options(name, needs), *head, *needs.options)),
    ]
    lines += ["", "set -eu", *needs.setup, f"export OMP_NUM_THREADS={needs.cpus}"]
    lines += [f"export {key}={shlex.quote(value)}" for key, value in needs.environment.items()]
    return "\n".join([*lines, "", *body]) + "\n"


def _options(name: str, needs: ResourcesConfig) -> Iterator[str]:
    yield f"--job-name={name}"
    if needs.partition is not None:
        yield f"--partition={needs.partition}"
    if needs.account is not None:
        yield f"--account={needs.account}"
    yield from (f"--time={needs.time}", "--nodes=1", "--ntasks=1", f"--cpus-per-task={needs.cpus}")
    yield f"--mem={needs.memory}"
    if needs.gpus:
        yield f"--gpus-per-task={needs.gpus}"
    yield from ("--requeue", "--open-mode=append", f"--signal=B:TERM@{needs.grace_seconds}")


def write_job_files(plan: ClusterPlan, base: Path) -> list[Path]:
    """The paths of the job files, which are written, with a folder for logs.

    Raises:
        ConfigError: as `job_files`.
        StorageError: they cannot be written.
    """
    files = job_files(plan, base)
    folder = base / plan.folder
    try:
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{folder} cannot be written: {error.strerror}") from error
    return [folder / name for name in files]


def submit(files: Sequence[Path]) -> list[str]:
    """The number of each job, in order; what was submitted before a failure stays submitted.

    Raises:
        ConfigError: there is no `sbatch` here.
        FailedRunError: it refuses a file.
    """
    program = shutil.which("sbatch")
    if program is None:
        raise ConfigError("there is no sbatch on this machine; copy the job files to one that submits jobs")
    numbers: list[str] = []
    for file in files:
        command = [program, "--parsable", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SUBMIT_SECONDS)  # noqa: S603
        number = re.match(r"\d+", done.stdout)
        if done.returncode != 0 or number is None:
            said = " ".join((done.stderr or done.stdout).split())
            before = f"; submitted before: {', '.join(numbers)}" if numbers else ""
            raise FailedRunError(f"sbatch refuses {file}: {said}{before}")
        numbers.append(number[0])
    return numbers
