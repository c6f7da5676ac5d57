"""How terms of the reward that take long are asked for: the section [queue]."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from fluvial.config.section import Problem, Section, Text


class QueueConfig(Section):
    """Where reward terms with `queued = true` are answered, and how long training waits for answers."""

    place: Text | None = Field(
        default=None,
        description="File of the queue, or URL of a PostgreSQL server where several machines take part. "
        "Where left out: queue.db in the folder of the run.",
        examples=["postgresql://me@dbhost/fluvial"],
    )
    most_waiting: int = Field(
        default=1000,
        ge=0,
        le=1_000_000,
        description="Trajectories that may wait for an answer while new ones are made; 0 = each step waits "
        "for its own. Measured: 1,600 in flight cost trajectory balance nothing in the end.",
    )
    when_full: Literal["wait", "train_on"] = Field(
        default="wait",
        description="What a step does when so many wait: wait until as many are answered as it makes, or "
        "make none and learn from replay.",
    )
    when_spent: Literal["end", "train_on"] = Field(
        default="end",
        description="What becomes of a run when the max_calls of a term are used up, and all that was asked "
        "was learned from: it ends, or learns from replay until stop.steps.",
    )
    order: Literal["oldest", "newest"] = Field(
        default="oldest",
        description="Which objects are answered first. The newest are nearest to what the policy makes now, "
        "but old ones may then wait for long.",
    )
    patience_minutes: float = Field(
        default=60.0,
        gt=0,
        description="Longest wait without any answer, in minutes; then the run is saved and ends. Arbitrary.",
    )
    workers: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="Workers that are started on this machine and end with the run; 0 = start them yourself.",
    )
    batch: int = Field(
        default=16,
        ge=1,
        le=100_000,
        description="Objects that a worker takes at once. Large for fast functions, small for slow tools; "
        "arbitrary.",
    )
    timeout_seconds: float | None = Field(
        default=None,
        gt=0,
        description="Longest silence of what evaluates, in seconds; then it is killed and started again. "
        "No limit where left out.",
        examples=[600.0],
    )
    lease_seconds: float = Field(
        default=30.0,
        ge=1,
        description="Time without a sign of life after which others take over from a worker, in seconds. "
        "Arbitrary.",
    )
    attempts: int = Field(
        default=3,
        ge=1,
        le=100,
        description="Tries of an object that breaks what evaluates it. Then it has no reward; never 0.",
    )

    def contradictions(self) -> Iterator[Problem]:
        """Training on needs something to do it with."""
        if self.when_full == "train_on" and self.most_waiting == 0:
            yield "most_waiting", "must be more than 0 for when_full = 'train_on'"
