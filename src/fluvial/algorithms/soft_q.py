"""Soft Q-learning and Munchausen DQN, whose rewards are log P_B on the way and log R at the end.

So rewarded, entropy-regularised reinforcement learning has the optimum of flow balance: Q(s, a) = log F(s) +
log P_F(a | s) (Tiapkin et al. 2024, arXiv:2310.12934). Q is the policy's logit plus its flow output.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from fluvial.algorithms.algorithm import Experience, Learned, Models
from fluvial.algorithms.backward import BackwardRule, BackwardTerms, of_policy, taught
from fluvial.losses.objectives import trajectory_loss
from fluvial.losses.regression import Regression, square
from fluvial.losses.reinforcement import munchausen_error, soft_q_error
from fluvial.sample.score import evaluate


@dataclass(frozen=True)
class SoftQ:
    """Soft Q-learning: the target of Q is the next state's soft value under the current weights.

    On a tree, and with log P_B = 0, it is plain maximum-entropy reinforcement learning with reward log R.
    """

    backward: BackwardRule = of_policy
    regression: Regression = square
    needs_partial: bool = False
    old_decay: float | None = None

    def __call__(self, models: Models, experience: Experience, generator: torch.Generator) -> Learned:
        """The losses of the trajectories."""
        trajectories, target = experience.trajectories, experience.target
        evaluation = evaluate(models.current.policy, trajectories)
        terms = _fixed(self.backward(evaluation, models.current.policy, experience.group, generator))
        soft_value = evaluation.soft_value()
        error = soft_q_error(evaluation.action_value(), terms.log_pb, soft_value, target, trajectories.mask)
        weight = trajectories.mask / trajectories.n_steps
        loss = trajectory_loss(error, weight.to(error), self.regression)
        log_pf = evaluation.log_pf()
        parts = {"log R": target, "log Z": soft_value[0], "log P_F": log_pf.sum(dim=0)}
        return taught(Learned(loss, log_pf, parts, soft_value[0].detach()), terms)


@dataclass(frozen=True)
class MunchausenDQN:
    """Deep Q-learning with a target network and a share of the policy's own log probability as reward.

    (Vieillard et al. 2020, arXiv:2007.14430; Tiapkin et al. 2024.) A share of 0 is soft DQN.
    """

    munchausen: float = 0.15
    """Share of log P_F in the reward, 0 to below 1; that of Tiapkin et al."""
    floor: float = -100.0
    """Least log P_F that counts; arbitrary, so low that it only stops outliers."""
    old_decay: float | None = 0.95
    """Memory of the target network per step."""
    backward: BackwardRule = of_policy
    regression: Regression = square
    needs_partial: bool = False

    def __call__(self, models: Models, experience: Experience, generator: torch.Generator) -> Learned:
        """The losses of the trajectories."""
        trajectories, target = experience.trajectories, experience.target
        evaluation = evaluate(models.current.policy, trajectories)
        terms = _fixed(self.backward(evaluation, models.current.policy, experience.group, generator))
        with torch.no_grad():
            old = evaluate(models.old.policy, trajectories)
            soft_value, log_pf_old = old.soft_value(), old.log_pf()
        error = munchausen_error(
            evaluation.action_value(),
            terms.log_pb,
            soft_value,
            log_pf_old,
            target,
            trajectories.mask,
            self.munchausen,
            self.floor,
        )
        weight = trajectories.mask / trajectories.n_steps
        loss = trajectory_loss(error, weight.to(error), self.regression)
        log_pf = evaluation.log_pf()
        log_z = soft_value[0] / (1.0 - self.munchausen)
        parts = {"log R": target, "log Z": log_z, "log P_F": log_pf.sum(dim=0)}
        return taught(Learned(loss, log_pf, parts, log_z), terms)


def _fixed(terms: BackwardTerms) -> BackwardTerms:
    """The terms, if no gradient was to reach log P_B through the target, which has none."""
    if terms.log_pb.requires_grad:
        raise ValueError(
            "Q-learning gives P_B no gradient, so a free one would never learn; use a backward policy"
            " that is uniform, exact, or has a loss of its own"
        )
    return terms
