"""Learning from the reward as a return to be maximised: A2C and REINFORCE.

These do not sample in proportion to R: without an entropy term they end at the best objects alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from fluvial.algorithms.algorithm import Experience, Learned, Models
from fluvial.losses.backward import score_function
from fluvial.losses.reinforcement import actor_critic, baseline
from fluvial.sample.score import evaluate


@dataclass(frozen=True)
class ActorCritic:
    """Advantage actor-critic whose critic is the policy's flow output (Mnih et al. 2016, arXiv:1602.01783).

    The return is R(x)^beta at the end, undiscounted; a trajectory's loss is the mean over its transitions.
    """

    entropy_weight: float = 0.01
    """Of the entropy of each state's policy; 0.01 is usual."""
    needs_partial: bool = False
    old_decay: float | None = None

    def __call__(self, models: Models, experience: Experience, generator: torch.Generator) -> Learned:
        """The losses of the trajectories."""
        trajectories = experience.trajectories
        evaluation = evaluate(models.current.policy, trajectories)
        log_pf, value = evaluation.log_pf(), evaluation.log_flow()[:-1]
        returns = trajectories.log_reward.exp()
        loss = actor_critic(
            log_pf, value, returns, evaluation.entropy(), trajectories.mask, self.entropy_weight
        )
        parts = {"R": returns, "log P_F": log_pf.sum(dim=0), "value": value.sum(dim=0)}
        return Learned(loss.sum(dim=0) / trajectories.n_steps, log_pf, parts)


@dataclass(frozen=True)
class Reinforce:
    """REINFORCE with the mean return of the other trajectories of the same condition as baseline.

    With preferences among several rewards in the condition it is multi-objective REINFORCE. (Williams 1992,
    doi:10.1007/BF00992696.)
    """

    entropy_weight: float = 0.0
    """Of the entropy of the policy along the trajectory."""
    needs_partial: bool = False
    old_decay: float | None = None

    def __call__(self, models: Models, experience: Experience, generator: torch.Generator) -> Learned:
        """The losses of the trajectories."""
        trajectories = experience.trajectories
        evaluation = evaluate(models.current.policy, trajectories)
        log_pf = evaluation.log_pf()
        returns = trajectories.log_reward.exp()
        loss = score_function(log_pf, returns - baseline(returns, experience.group))
        if self.entropy_weight:
            loss = loss - self.entropy_weight * evaluation.entropy().sum(dim=0)
        return Learned(loss, log_pf, {"R": returns, "log P_F": log_pf.sum(dim=0)})
