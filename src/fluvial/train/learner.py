"""What a run is made of, and what of it changes while it learns."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from fluvial.algorithms.algorithm import Algorithm
from fluvial.algorithms.balance import Balance
from fluvial.core.environment import Environment
from fluvial.core.types import Condition, Origin
from fluvial.data.dataset import Dataset
from fluvial.policy.average import average_copy, update_average
from fluvial.policy.model import Model
from fluvial.queue.records import ScoredObject
from fluvial.replay.protocol import Replay
from fluvial.replay.waiting import WaitingRoom
from fluvial.rewards.conditions import Memory
from fluvial.rewards.diversity import Diversity
from fluvial.rewards.target import Target
from fluvial.train.asked import UNNAMED, Names
from fluvial.train.scoring import Answers, AtOnce, Scoring
from fluvial.train.screening import Screening


class ConditionSource(Protocol):
    """What trajectories are asked to aim for."""

    @property
    def encoding_width(self) -> int:
        """C, the width of the encoding."""
        ...

    def sample(self, n: int, generator: torch.Generator, /) -> Condition:
        """Conditions to train on."""
        ...

    def fixed(self, n: int, beta: float, /) -> Condition:
        """The same condition `n` times."""
        ...

    def met(self, condition: Condition, values: Tensor, /) -> None:
        """Take note of what was asked for, and of the reward terms float [B, K] of what was made."""
        ...

    def in_hindsight(
        self,
        condition: Condition,
        values: Tensor,
        target: Target,
        share: float,
        generator: torch.Generator,
        /,
    ) -> Condition:
        """Conditions as if what was met had been asked for, in a share of those rows that missed it."""
        ...

    @property
    def memories(self) -> Mapping[str, Memory]:
        """What it notes, by name; a checkpoint keeps it."""
        ...


@dataclass(frozen=True)
class Problem:
    """What to sample and in proportion to what. Nothing in it changes during a run."""

    env: Environment[Any]
    score: Scoring
    conditions: ConditionSource
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    data: Dataset | None = None
    """Given objects to learn from too."""
    terms: Callable[[Sequence[ScoredObject]], Tensor] | None = None
    """Scored objects to their K reward terms and P properties with targets: float64 [B, K + P], nan where
    there is no reward. A filtered object needs terms too; 0 for all keeps it out of every focus region."""
    target: Target = field(default_factory=Target)
    """From rewards, terms and conditions to log R."""
    diversity: Diversity | None = None
    """What the rewards of fresh objects are diminished by, if anything."""
    names: Names = UNNAMED
    """Of reward terms and targets, for what is recorded."""
    answers: Answers = field(default_factory=AtOnce)
    """Of what is PENDING when it is scored."""
    screening: Screening | None = None
    """Which of the objects that the policy makes are asked about; None for all."""


@dataclass(frozen=True)
class LocalSearch:
    """Going back from what was just made, and forward again (Kim et al. 2024, arXiv:2310.02710)."""

    rounds: int = 0
    """How often each trajectory is revised; each revision costs a reward."""
    back: int = 4
    """Transitions undone, the stop not counted; arbitrary."""
    accept: str = "deterministic"
    """A name in `fluvial.sample.local_search.ACCEPTANCE`: which revision the next one starts from."""


@dataclass(frozen=True)
class Picking:
    """Stored objects that suit what is asked for: some trajectories get the best of a few drawn ones."""

    of: int = 1
    """Objects drawn for each trajectory; 1 = no choice."""
    share: float = 0.5
    """Share of the trajectories that get the best of them; the others get the first."""


@dataclass(frozen=True)
class LearningSettings:
    """Numbers that steer a training step; the configuration documents where the defaults come from."""

    batch: int = 64
    """On-policy trajectories in a step."""
    n_replayed: int = 64
    """Replayed trajectories in a step, once `replay_start` trajectories had a reward; 0 = no replay."""
    replay_start: int = 320
    most_waiting: int = 0
    """Trajectories that may wait for rewards when more are made; 0 = a step's own ones are waited for."""
    waits_for_room: bool = True
    """Whether a step waits until as many trajectories have a reward as it made; else it learns from whatever
    there is, and makes new ones only where `most_waiting` allows it."""
    n_data: int = 0
    """Trajectories of given objects in a step."""
    epsilon: Callable[[int], float] = lambda step: 0.05
    """Step to the share of uniform actions."""
    temperature: float = 1.0
    algorithm: Algorithm = field(default_factory=Balance)
    repeats: int = 1
    """Trajectories of equal condition; divides `batch` and `n_replayed`."""
    picking: Picking = Picking()
    hindsight: float = 0.0
    """Share of the replayed trajectories that missed what they were asked for and are told what they met."""
    stored_paths: bool = False
    """Whether replayed objects come with the ways they were made by; else new ways are drawn back."""
    search: LocalSearch = LocalSearch()
    lag: float = 0.0
    """Memory of the lagged weights that act, per step; 0 = the current weights act."""
    lag_share: float = 1.0
    """Share of the lagged policy in what acts; the rest is the current policy."""
    source_weights: Mapping[Origin, float] = field(default_factory=dict)
    """Weight of the losses of trajectories by origin; 1 where not given."""
    likelihood_weight: float = 0.0
    """Weight of -log P_F of trajectories that the policy did not just make."""
    length_normalise: bool = False
    """Whether each trajectory's loss is divided by its number of transitions."""
    clip_norm: float = 10.0
    """Largest norm of the whole gradient; 0 = no limit."""
    ema_decay: float = 0.999
    """0 = no average: the weights themselves are used for sampling and evaluation."""


class Learner:
    """Weights, optimiser, replay, trajectories that wait for a reward, and random numbers: a checkpoint's.

    Args:
        model: policy and log Z.
        optimizer: over the model's parameters.
        schedule: factor of the learning rates at a step.
        replay: buffer for this environment.
        generator: draws everything but dropout, which uses torch's global generator.
        copies: name to memory per step of further averaged copies of the weights: "lagged", "old".
    """

    def __init__(
        self,
        model: Model,
        optimizer: torch.optim.Optimizer,
        schedule: Callable[[int], float],
        replay: Replay,
        generator: torch.Generator,
        copies: Mapping[str, float] | None = None,
    ) -> None:
        self.model, self.average = model.eval(), average_copy(model)
        self._decays = dict(copies or {})
        self.copies = {name: average_copy(model) for name in self._decays}
        self.optimizer, self.replay, self.generator = optimizer, replay, generator
        self.waiting = WaitingRoom()
        self._schedule = schedule
        self._full_rates = [group["lr"] for group in optimizer.param_groups]
        self.step = 0
        self.steps_without_reward = 0
        self._set_rates()

    def average_weights(self, ema_decay: float) -> None:
        """Move every averaged copy towards the weights."""
        update_average(self.average, self.model, ema_decay, self.step)
        for name, decay in self._decays.items():
            update_average(self.copies[name], self.model, decay, self.step)

    def advance(self) -> None:
        """Count a step and set the learning rates of the next one."""
        self.step += 1
        self._set_rates()

    def _set_rates(self) -> None:
        factor = self._schedule(self.step)
        for group, rate in zip(self.optimizer.param_groups, self._full_rates, strict=True):
            group["lr"] = rate * factor

    def state_dict(self) -> dict[str, Any]:
        """Everything but the weights."""
        return {
            "step": self.step,
            "steps_without_reward": self.steps_without_reward,
            "optimizer": self.optimizer.state_dict(),
            "replay": self.replay.state_dict(),
            "waiting": self.waiting.state_dict(),
            "copies": {name: dict(copy.state_dict()) for name, copy in self.copies.items()},
            "generator": self.generator.get_state(),
            "generator_device": self.generator.device.type,
            "torch_generator": torch.get_rng_state(),
            "numpy_generator": _numpy_state(),
            "python_generator": _python_state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue exactly where `state_dict` was taken.

        On another kind of device the generator starts anew, from its seed and the step.
        """
        self.step = state["step"]
        self.steps_without_reward = state["steps_without_reward"]
        self.optimizer.load_state_dict(state["optimizer"])
        self._set_rates()
        self.replay.load_state_dict(state["replay"])
        if "waiting" in state:
            self.waiting.load_state_dict(state["waiting"])
        for name, copy in self.copies.items():
            copy.load_state_dict(state["copies"][name])
        if state["generator_device"] == self.generator.device.type:
            self.generator.set_state(state["generator"])
        else:
            self.generator.manual_seed(self.generator.initial_seed() + self.step)
        torch.set_rng_state(state["torch_generator"])
        name, keys, position, has_gauss, gauss = state["numpy_generator"]
        np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, gauss))
        version, internal, gauss_next = state["python_generator"]
        random.setstate((version, tuple(internal.tolist()), gauss_next))


def _numpy_state() -> list[Any]:
    """State of numpy's global generator, which a user's reward may use, as plain values and a tensor."""
    name, keys, position, has_gauss, gauss = np.random.get_state()
    return [
        str(name),
        torch.from_numpy(np.asarray(keys).astype(np.int64)),
        int(position),
        int(has_gauss),
        float(gauss),
    ]


def _python_state() -> list[Any]:
    """State of the `random` module, as plain values and a tensor."""
    version, internal, gauss_next = random.getstate()
    return [version, torch.tensor(internal, dtype=torch.int64), gauss_next]
