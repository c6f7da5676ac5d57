"""What it learns with and aims for: the sections [optimizer], [replay] and [condition]."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from fluvial.config.section import Problem, Section, is_number


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

    capacity: int = Field(
        default=10_000,
        ge=1,
        le=100_000_000,
        description="Different objects kept; the oldest leave. The usual number, arbitrary.",
    )
    fraction: float = Field(
        default=0.5,
        ge=0,
        le=0.95,
        description="Share of replayed trajectories in a training batch; 0 = off. Shen et al. 2023.",
    )
    priority: Literal["top", "uniform", "reward", "loss", "newest"] = Field(
        default="top",
        description="Which objects are drawn more often. The best ones (top), none (uniform), in proportion "
        "to their reward or to their last loss, or the newest; top is that of Shen et al. 2023.",
    )
    top_fraction: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="Share of the stored objects that counts as the top, or as the newest. Shen et al. 2023.",
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
    start: int = Field(
        default=320,
        ge=1,
        description="Trajectories with a reward before replay begins. Five batches of 64, arbitrary.",
    )

    def contradictions(self) -> Iterator[Problem]:
        """Not every draw knows a top."""
        for name in ("top_fraction", "top_share"):
            is_default = getattr(self, name) == type(self).model_fields[name].default
            if self.priority not in ("top", "newest") and not is_default:
                sentence = f"must be left out for priority = '{self.priority}'"
                yield name, f"{sentence}; only 'top' and 'newest' have it"


class BetaConfig(Section):
    """How the exponent beta of the target R^beta is drawn for each trajectory."""

    distribution: Literal["constant", "uniform", "loguniform", "gamma", "beta"] = Field(
        default="constant",
        description="Law of beta. Every law but constant makes one network learn all its values.",
    )
    a: float = Field(
        default=32.0,
        gt=0,
        description="Constant: the value. Uniform, loguniform: the lower end. Gamma, beta: the shape.",
    )
    b: float | None = Field(
        default=None,
        gt=0,
        description="Uniform, loguniform: the upper end. Gamma: the scale. Beta: the second shape. "
        "Constant: none.",
        examples=[64.0],
    )
    bins: int = Field(
        default=32,
        ge=2,
        le=1024,
        description="Numbers that show beta to the network. 32 as usual, arbitrary.",
    )

    @property
    def numbers(self) -> tuple[float, ...]:
        """The parameters of the law, `a` and where it has two `b`."""
        return (self.a,) if self.b is None else (self.a, self.b)

    def contradictions(self) -> Iterator[Problem]:
        """`b` belongs to all laws but the constant one, and ranges must be in order."""
        if self.distribution == "constant":
            if self.b is not None:
                yield "b", "must be left out for distribution = 'constant'"
        elif self.b is None:
            yield "b", f"must be given for distribution = '{self.distribution}'"
        elif self.distribution in ("uniform", "loguniform") and self.a >= self.b:
            yield "b", f"must be more than a = {self.a:g}"


def _constant_beta(value: Any) -> Any:
    if not is_number(value):
        return value
    if not 0 < value < math.inf:
        raise ValueError("must be a finite number more than 0")
    return {"distribution": "constant", "a": value}


class ConditionConfig(Section):
    """What each trajectory is asked to aim for."""

    beta: Annotated[
        BetaConfig, BeforeValidator(_constant_beta, json_schema_input_type=float | BetaConfig)
    ] = Field(
        default=BetaConfig(distribution="constant", a=32.0),
        description="Sharpness: objects are drawn in proportion to R^beta. A number, or a table "
        "{distribution, a, b}. 32 for molecules (usual, arbitrary); "
        "1 for the hypergrid and for graphs, where R itself is the known target.",
    )
