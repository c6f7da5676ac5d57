"""What a cluster file says: the training run and its workers, and what each needs."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, StringConstraints

from fluvial.config.section import Problem, Section, Text
from fluvial.core.errors import ConfigError

Listed = Field(strict=False)
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,39}$")]
"""Of a group of workers, which names its files."""
Line = Annotated[str, StringConstraints(pattern=r"^[^\x00\n\r]+$", max_length=2000)]
Duration = Annotated[str, StringConstraints(pattern=r"^(\d+-)?\d{1,3}(:\d{2}){0,2}$")]
"""As SLURM writes it: minutes, hours:minutes:seconds or days-hours:minutes:seconds."""
WAYS = ("target", "function", "exec", "once", "http", "simulate")
"""Options of `fluvial worker` that say how objects are evaluated."""


def _sorted(value: Any) -> Any:
    return dict(sorted(value.items())) if isinstance(value, dict) else value


class ResourcesConfig(Section):
    """What a job asks SLURM for."""

    partition: Line | None = None
    account: Line | None = None
    time: Duration = "24:00:00"
    cpus: int = Field(default=4, ge=1)
    memory: Annotated[str, StringConstraints(pattern=r"^\d+[KMGT]?$")] = "16G"
    gpus: int = Field(default=0, ge=0)
    """For each task."""
    options: Annotated[tuple[Line, ...], Listed] = ()
    """Further options of `sbatch`, as "--constraint=h100"."""
    setup: Annotated[tuple[Line, ...], Listed] = ()
    """Lines of shell before the program: modules, the environment."""
    environment: Annotated[dict[str, str], BeforeValidator(_sorted)] = Field(default_factory=dict)
    grace_seconds: int = Field(default=120, ge=1, le=3600)
    """Between SIGTERM and the end: to save and to give jobs back."""

    def contradictions(self) -> Iterator[Problem]:
        """Options are options, and variables have names."""
        for option in self.options:
            if not option.startswith("--"):
                yield "options", f"must be options of sbatch such as '--constraint=h100', not '{option}'"
        for name, value in self.environment.items():
            if not re.fullmatch(r"[A-Za-z_]\w*", name) or "\n" in value or "\0" in value:
                yield "environment", f"must have names of variables and values of one line; '{name}' has not"


class TrainerConfig(ResourcesConfig):
    """The training run."""

    config: Text
    """File of `fluvial train`."""
    out: Text
    """Folder of the run; a job that is requeued goes on in it."""
    command: Annotated[tuple[Line, ...], Listed] = ("fluvial",)


class WorkersConfig(ResourcesConfig):
    """A group of like workers."""

    name: Name
    count: int | None = Field(default=None, ge=1, le=10_000)
    answers_per_second: float | None = Field(default=None, gt=0)
    """What training takes in; with `seconds_per_answer` in place of `count`."""
    seconds_per_answer: float | None = Field(default=None, gt=0)
    target: Text | None = None
    function: Text | None = None
    exec: Text | None = None
    once: Text | None = None
    http: Text | None = None
    simulate: str | None = None
    oracle: Text | None = None
    """Which, where the queue has several."""
    batch: int = Field(default=8, ge=1)
    jobs: int = Field(default=1, ge=1)
    """Evaluations at the same time in one worker."""
    timeout: float | None = Field(default=None, gt=0)
    lease: float = Field(default=60.0, ge=1)
    idle_exit: float | None = Field(default=1800.0, ge=0)
    """So that no machine is held for nothing."""
    most_at_once: int | None = Field(default=None, ge=1)
    """Tasks of the array that run at the same time."""
    command: Annotated[tuple[Line, ...], Listed] = ("fluvial",)

    def contradictions(self) -> Iterator[Problem]:
        """One way to evaluate, and one to say how many."""
        yield from super().contradictions()
        if sum(getattr(self, way) is not None for way in WAYS) > 1:
            yield "name", f"must have one of {', '.join(WAYS)}, or none where the run says it"
        rates = (self.answers_per_second, self.seconds_per_answer)
        if self.count is None and None in rates:
            yield "count", "must be given, or answers_per_second and seconds_per_answer"
        if self.count is not None and rates != (None, None):
            yield "count", "must be left out where answers_per_second and seconds_per_answer say it"

    @property
    def n_workers(self) -> int:
        """How many there are: what is needed to answer as fast as training asks."""
        if self.count is not None:
            return self.count
        assert self.answers_per_second is not None
        assert self.seconds_per_answer is not None
        return max(1, math.ceil(self.answers_per_second * self.seconds_per_answer / self.jobs))


class ClusterPlan(Section):
    """A cluster file."""

    place: Text
    """Where all meet: a PostgreSQL URL; on one machine also a file, or the folder of the run."""
    folder: Text = "cluster"
    """Of job files and logs."""
    trainer: TrainerConfig | None = None
    workers: Annotated[tuple[WorkersConfig, ...], Listed] = Field(min_length=1)

    def contradictions(self) -> Iterator[Problem]:
        """Names are names of files, and secrets are no part of a command line."""
        counts = Counter(one.name for one in self.workers)
        for name in (name for name, count in counts.items() if count > 1 or name == "trainer"):
            yield "workers", f"must have names of their own; '{name}' is taken"
        if is_server(self.place) and urlsplit(self.place).password is not None:
            yield "place", "must not hold a password, which others could read: use ~/.pgpass or PGPASSWORD"


def require_ways(plan: ClusterPlan) -> None:
    """Refuse workers that would end at once, because neither they nor a run say how objects are evaluated.

    Raises:
        ConfigError: a group of workers names none of `WAYS`.
    """
    for group in plan.workers:
        if all(getattr(group, way) is None for way in WAYS):
            raise ConfigError(
                f"workers '{group.name}' have no way to evaluate, and would end at once: "
                f"give the group one of {', '.join(WAYS)}"
            )


def is_server(place: str) -> bool:
    """Whether several machines can meet there."""
    return re.match(r"postgres(ql)?(\+\w+)?://", place) is not None


def worker_words(place: str, group: WorkersConfig) -> list[str]:
    """Program and arguments of a worker."""
    words = [*group.command, "worker", place]
    for way in WAYS:
        value = getattr(group, way)
        if value is not None:
            words += [f"--{way}", value]
    if group.oracle is not None:
        words += ["--oracle", group.oracle]
    words += ["--jobs", str(group.jobs), "--batch", str(group.batch), "--lease", f"{group.lease:g}"]
    for option, seconds in (("--timeout", group.timeout), ("--idle-exit", group.idle_exit)):
        if seconds is not None:
            words += [option, f"{seconds:g}"]
    return words
