"""`fluvial cluster`: a training run and its workers on many machines, or on one."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated

import typer

from fluvial.cli.output import aligned, say
from fluvial.cli.working import catch_signals
from fluvial.core.errors import FailedRunError

SLURM_EXAMPLES = """\
Examples:

fluvial cluster slurm cluster.toml

fluvial cluster slurm cluster.toml --submit
"""

LOCAL_EXAMPLES = """\
Examples:

fluvial cluster local cluster.toml

fluvial cluster local cluster.toml --gpus 0,1,2,3
"""

HINT = "'Run on a cluster' in the documentation has one to start from"
ClusterFile = Annotated[Path, typer.Argument(metavar="FILE", help="A cluster file.")]


def slurm(
    file: ClusterFile,
    submit: Annotated[bool, typer.Option("--submit", help="Also hand the job files to sbatch.")] = False,
) -> None:
    """Write job files for SLURM: one for the training run, an array for each group of workers."""
    from fluvial.config.file import read_section
    from fluvial.launch.plan import ClusterPlan
    from fluvial.launch.slurm import submit as submit_files
    from fluvial.launch.slurm import write_job_files

    plan = read_section(file, ClusterPlan, HINT)
    files = write_job_files(plan, file.resolve().parent)
    numbers = submit_files(files) if submit else [""] * len(files)
    for path, number in zip(files, numbers, strict=True):
        say(f"job {number}: {path}" if number else str(path))


def local(
    file: ClusterFile,
    gpus: Annotated[
        str | None, typer.Option(metavar="0,1", help="GPUs that workers get in turn; else none is said.")
    ] = None,
) -> None:
    """Run the training run and the workers of a cluster file on this machine.

    Workers that crash are started again. SIGTERM or Ctrl-C ends all of them: the run is saved, jobs are given
    back. Words of each process go to a file of its own.
    """
    from fluvial.config.file import read_section
    from fluvial.launch.local import local_cluster
    from fluvial.launch.plan import ClusterPlan

    plan = read_section(file, ClusterPlan, HINT)
    cluster = local_cluster(plan, file.resolve().parent, [one for one in (gpus or "").split(",") if one])
    stop = threading.Event()
    catch_signals(stop)
    codes = cluster.run(stop)
    say(aligned([(name, f"exit code {code}") for name, code in codes.items()]))
    failed = [name for name, code in codes.items() if code != 0]
    if failed and not stop.is_set():
        raise FailedRunError(f"{', '.join(failed)} failed; see {cluster.logs}")
