"""What it learns with: the sections [optimizer] and [replay]."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from fluvial.config.section import Problem, Section


class OptimizerConfig(Section):
    """How gradients change the weights."""

    kind: Literal["adam", "adamw", "sgd"] = Field(
        default="adam", description="Update rule. Adam is what the papers use."
    )
    lr: float = Field(
        default=1e-3,
        gt=0,
        le=10,
        description="Learning rate of the network. Measured on fragments: better than 5e-4.",
    )
    log_z_lr: float = Field(
        default=0.1,
        gt=0,
        le=100,
        description="Learning rate of log Z. 100 times lr; measured: slower doubles the error at least.",
    )
    clip_norm: float = Field(
        default=10.0,
        ge=0,
        description="Largest norm of the whole gradient; 0 = no limit. The default is the usual one.",
    )
    schedule: Literal["constant", "cosine", "exponential"] = Field(
        default="cosine",
        description="How the learning rates change over stop.steps. At a constant rate the error of "
        "trajectory balance does not settle (measured on grids).",
    )
    warmup_steps: int = Field(
        default=0, ge=0, description="Steps over which the learning rates rise from 0. Off by default."
    )
    final_lr_fraction: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="Share of the learning rates left at stop.steps, unless the schedule is constant.",
    )
    weight_decay: float = Field(
        default=0.0, ge=0, le=1, description="Pull of the weights to 0 per step. Off by default."
    )
    betas: Annotated[tuple[float, float], Field(strict=False)] = Field(
        default=(0.9, 0.999),
        description="Memories of Adam's two averages, each from 0 to below 1. From Kingma & Ba 2015.",
    )
    momentum: float = Field(
        default=0.0, ge=0, lt=1, description="Memory of the direction, for sgd only. Off by default."
    )
    ema_decay: float = Field(
        default=0.999,
        ge=0,
        lt=1,
        description="Memory of the averaged weights, which are evaluated and sampled from at the end; "
        "0 = no average. Measured: steadier at a constant learning rate.",
    )

    def contradictions(self) -> Iterator[Problem]:
        """Keys that the chosen kind would ignore are refused."""
        if not all(0 <= beta < 1 for beta in self.betas):
            yield "betas", "must each be at least 0 and less than 1"
        if self.kind != "sgd" and self.momentum != 0:
            yield "momentum", f"must be left out or 0 for kind = '{self.kind}'; only 'sgd' has it"
        if self.kind == "sgd" and self.betas != (0.9, 0.999):
            yield "betas", "must be left out for kind = 'sgd'; only 'adam' and 'adamw' have them"


class ReplayConfig(Section):
    """Objects seen before, learned from again."""

    where: Literal["memory", "disk"] = Field(
        default="memory",
        description="Where stored objects are kept. On the disk there is room for tens of millions, and "
        "checkpoints stay small: a database in the folder of the run keeps every trajectory.",
    )
    capacity: int = Field(
        default=10_000,
        ge=1,
        le=100_000_000,
        description="Different objects kept; replay.keep says which. The usual number, arbitrary.",
    )
    fraction: float = Field(
        default=0.5,
        ge=0,
        le=0.95,
        description="Share of replayed trajectories in a training batch; 0 = off. Shen et al. 2023.",
    )
    priority: Literal["top", "asked", "uniform", "reward", "loss", "newest"] = Field(
        default="top",
        description="Which objects are drawn more often. The best ones (top), those best at what each "
        "trajectory is asked for (asked), none (uniform), in proportion to their reward or to their last "
        "loss, or the newest; top is that of Shen et al. 2023. Take asked where a condition weighs terms.",
    )
    top_fraction: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="Share of the stored objects that counts as the top, or as the newest; for asked, the "
        "best of 1 / top_fraction drawn ones is taken. Shen et al. 2023.",
    )
    top_share: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Share of the replayed trajectories taken from the top, or from the newest. "
        "Shen et al. 2023.",
    )
    paths: Literal["redrawn", "stored"] = Field(
        default="redrawn",
        description="How replayed objects are built. By a path that the backward policy draws anew, as by "
        "Shen et al. 2023, or by the stored path that found them.",
    )
    keep: Literal["newest", "best"] = Field(
        default="newest",
        description="Which objects stay when the buffer is full. The newest, as usual, or those with the "
        "largest reward.",
    )
    hindsight: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of the replayed trajectories that missed their condition.focus or target and are "
        "told what they met instead. Off by default; 0.3 in Roy et al. 2023.",
    )
    start: int = Field(
        default=320,
        ge=1,
        description="Trajectories with a reward before replay begins. Five batches of 64, arbitrary.",
    )

    def contradictions(self) -> Iterator[Problem]:
        """Not every draw knows a top."""
        for name in ("top_fraction", "top_share"):
            is_default = getattr(self, name) == type(self).model_fields[name].default
            if self.priority not in ("top", "asked", "newest") and not is_default:
                sentence = f"must be left out for priority = '{self.priority}'"
                yield name, f"{sentence}; only 'top', 'asked' and 'newest' have it"
        if self.where == "disk" and self.priority in ("top", "loss"):
            sentence = "must be 'asked', 'uniform', 'reward' or 'newest' for where = 'disk'"
            yield "priority", f"{sentence}; others sort all objects"
        if self.where == "disk" and self.keep != "newest":
            yield "keep", "must be 'newest' for where = 'disk'; the best ones would have to be sorted"
