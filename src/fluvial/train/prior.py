"""The policy of a finished run, to be used inside another one."""

from __future__ import annotations

import json
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
from fluvial.envs.fragments.environment import Fragments
from fluvial.envs.synthesis.environment import Syntheses
from fluvial.policy.module import PolicyModule
from fluvial.train.checkpoint import latest_intact
from fluvial.train.run_directory import RunDirectory

_PREFIX = "policy."
REWARD_KEYS = ("reward", "r0", "r1", "r2", "motifs", "n_modes", "modes_seed")
"""Keys of [env] that are about what is worth making."""


def prior_hash(path: Path) -> str:
    """SHA-256 of the averaged weights of the run in `path` at its newest intact checkpoint.

    Raises:
        ResumeError: it has none.
    """
    checkpoint, _ = latest_intact(RunDirectory.open_existing(path).checkpoints)
    return sha256(safetensors.torch.save(dict(checkpoint.ema))).hexdigest()


def vocabulary_hash(env: Environment[Any]) -> str | None:
    """SHA-256 of the fragments, or of blocks and reactions, to whose numbers weights and actions refer; None
    where there are none."""
    if isinstance(env, Syntheses):
        return env.library.fingerprint
    if not isinstance(env, Fragments):
        return None
    content = [[fragment.smiles, fragment.points] for fragment in env.vocabulary.fragments]
    return sha256(json.dumps(content).encode()).hexdigest()


def _environment(config: RunConfig) -> dict[str, Any]:
    """What the shape of the policy and the meaning of its actions depend on."""
    return config.env.model_dump(exclude={*REWARD_KEYS, "vocabulary", "library", "workers"})


def _unfit(path: Path, what: str) -> str:
    return (
        f"algo.objective.prior: the policy of {path} does not fit this run, which must have the same {what}"
    )


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
    if _environment(config) != _environment(user):
        raise ConfigError(_unfit(path, "[env] section, its reward aside"))
    facts = json.loads(directory.environment.read_text(encoding="utf-8"))
    if facts.get("vocabulary") != vocabulary_hash(env):
        raise ConfigError(_unfit(path, "fragments in the vocabulary, which has changed or is another file"))
    asked = config.condition, user.condition
    if asked[0] != asked[1] and any(condition.varies for condition in asked):
        sentence = "[condition] section, unless in both it is the same for all trajectories"
        raise ConfigError(_unfit(path, sentence))
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
