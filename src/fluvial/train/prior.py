"""The policy of a finished run, to be used inside another one."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from fluvial.config.file import load_config
from fluvial.config.run_config import RunConfig
from fluvial.core.environment import Environment
from fluvial.core.errors import ConfigError
from fluvial.policy.module import PolicyModule
from fluvial.train.checkpoint import latest_intact
from fluvial.train.run_directory import RunDirectory

_PREFIX = "policy."


def prior_hash(path: Path) -> str:
    """SHA-256 of the averaged weights of the run in `path` at its newest intact checkpoint.

    Raises:
        ResumeError: it has none.
    """
    checkpoint, _ = latest_intact(RunDirectory.open_existing(path).checkpoints)
    return sha256(safetensors.torch.save(dict(checkpoint.ema))).hexdigest()


def load_policy(
    path: Path,
    user: RunConfig,
    env: Environment[Any],
    build: Callable[[RunConfig, Environment[Any]], PolicyModule],
) -> PolicyModule:
    """The averaged policy of the run in `path` at its newest intact checkpoint, without gradients.

    Args:
        path: folder of the run.
        user: configuration of the run that uses it, which must be of the same environment and conditions.
        env: its environment.
        build: from a configuration to an untrained policy.

    Raises:
        ConfigError: the run is of another environment, or was asked for other things.
        ResumeError: it has no intact checkpoint.
    """
    directory = RunDirectory.open_existing(path)
    config = load_config(directory.config).config
    for section in ("env", "condition"):
        if getattr(config, section) != getattr(user, section):
            raise ConfigError(
                f"algo.objective.prior: the policy of {path} does not fit this run; its own run must have the"
                f" same [{section}] section"
            )
    checkpoint, _ = latest_intact(directory.checkpoints)
    with torch.random.fork_rng(devices=[]):
        policy = build(config, env)
    weights = {
        name.removeprefix(_PREFIX): value
        for name, value in checkpoint.ema.items()
        if name.startswith(_PREFIX)
    }
    policy.load_state_dict(weights)
    return policy.eval().requires_grad_(False)
