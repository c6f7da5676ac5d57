"""Optimisers and learning-rate schedules by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from fluvial.policy.model import Model


@dataclass(frozen=True)
class OptimizerSettings:
    """Learning rates and what goes with them; the configuration documents where the defaults come from."""

    kind: str = "adam"
    """adam, adamw or sgd."""
    lr: float = 1e-3
    log_z_lr: float = 0.1
    weight_decay: float = 0.0
    """Of the policy; log Z is never decayed."""
    betas: tuple[float, float] = (0.9, 0.999)
    momentum: float = 0.0


def build_optimizer(model: Model, settings: OptimizerSettings) -> torch.optim.Optimizer:
    """An optimiser with two groups: the policy, and log Z with its own learning rate."""
    groups = [
        {"params": list(model.policy.parameters()), "lr": settings.lr, "weight_decay": settings.weight_decay},
        {"params": list(model.log_z.parameters()), "lr": settings.log_z_lr, "weight_decay": 0.0},
    ]
    if settings.kind == "sgd":
        return torch.optim.SGD(groups, lr=settings.lr, momentum=settings.momentum)
    if settings.kind == "adamw":
        return torch.optim.AdamW(groups, lr=settings.lr, betas=settings.betas)
    return torch.optim.Adam(groups, lr=settings.lr, betas=settings.betas)


def constant(progress: float, final: float) -> float:
    """1."""
    return 1.0


def cosine(progress: float, final: float) -> float:
    """final + (1 - final) (1 + cos(pi progress)) / 2."""
    return final + (1.0 - final) * 0.5 * (1.0 + math.cos(math.pi * progress))


def exponential(progress: float, final: float) -> float:
    """final ^ progress."""
    return float(final**progress)


SCHEDULES: dict[str, Callable[[float, float], float]] = {
    "constant": constant,
    "cosine": cosine,
    "exponential": exponential,
}


def build_schedule(kind: str, n_steps: int, warmup_steps: int, final: float) -> Callable[[int], float]:
    """Step to the factor of the learning rates: a linear rise over `warmup_steps`, then a schedule down to
    `final`."""

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        progress = (step - warmup_steps) / max(1, n_steps - warmup_steps)
        return SCHEDULES[kind](min(1.0, progress), final)

    return factor
