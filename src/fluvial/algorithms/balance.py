"""Flow balance: an objective over trajectories, a backward policy, and where log Z comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from fluvial.algorithms.algorithm import Experience, Learned, Models
from fluvial.algorithms.backward import BackwardRule, of_policy, taught
from fluvial.core.policy import Policy
from fluvial.core.types import Scores
from fluvial.losses.objectives import LOG_Z_ESTIMATES, OBJECTIVES, Objective, trajectory_loss
from fluvial.losses.regression import Regression, square
from fluvial.losses.residuals import flow_of_stopping, looking_forward
from fluvial.policy.model import Model
from fluvial.sample.score import Evaluation, evaluate, log_importance

View = Callable[[Scores, Evaluation, Tensor], Scores]
"""Scores as an objective is to see them; the last argument is `Experience.log_partial`."""


def seeing_partial_rewards(scores: Scores, evaluation: Evaluation, log_partial: Tensor) -> Scores:
    """The learned flow is what is left after the reward of the state itself (forward-looking).

    Finished objects get no such part, so the target stays what it is, nor does the initial state, so that its
    flow stays Z. (Pan et al. 2023, arXiv:2302.01687.)
    """
    energy = _gone_at_the_ends(-log_partial, scores.mask).nan_to_num(nan=0.0)
    return replace(scores, log_pb=looking_forward(scores.log_pb, energy, scores.mask))


def with_flow_of_stopping(scores: Scores, evaluation: Evaluation, log_partial: Tensor) -> Scores:
    """The flow of a state in which stop is legal is R(s) / P_F(stop | s), so that none is learned.

    (Deleu et al. 2022, arXiv:2202.13903.)
    """
    return replace(scores, log_flow=flow_of_stopping(scores.log_flow, log_partial, evaluation.log_stop()))


VIEWS: dict[str, View] = {"forward_looking": seeing_partial_rewards, "mdb": with_flow_of_stopping}


@dataclass(frozen=True)
class LogZSource:
    """Where log Z comes from, and what keeps it in place."""

    is_implicit: bool = False
    """Whether it is the flow of the initial state, which needs no parameter."""
    starts_from_batch: bool = True
    """Whether the first batch sets it: slow starts cost two to five times the error."""
    pull: float = 0.0
    """Weight of the squared distance from where it started, >= 0."""


@dataclass(frozen=True)
class Balance:
    """Any objective of `fluvial.losses.objectives` with any backward policy."""

    objective: Objective = OBJECTIVES["tb"]
    estimate: Callable[[Scores, Tensor, Tensor], Tensor] = LOG_Z_ESTIMATES["tb"]
    """What the objective takes for log Z, to be logged."""
    regression: Regression = square
    backward: BackwardRule = of_policy
    view: View | None = None
    log_z: LogZSource = LogZSource()
    old_decay: float | None = None

    @property
    def needs_partial(self) -> bool:
        """Whether the rewards of intermediate objects are looked at."""
        return self.view is not None

    def __call__(self, models: Models, experience: Experience, generator: torch.Generator) -> Learned:
        """The losses of the trajectories."""
        model, trajectories = models.current, experience.trajectories
        evaluation = evaluate(model.policy, trajectories)
        terms = self.backward(evaluation, model.policy, experience.group, generator)
        scores = replace(evaluation.scores(), log_pb=terms.log_pb)
        if self.view is not None and experience.log_partial is not None:
            scores = self.view(scores, evaluation, experience.log_partial)
        return taught(balanced(self, model, experience, scores), terms)


@dataclass(frozen=True)
class RelativeBalance:
    """Trajectory balance against a fixed prior policy: samples in proportion to prior(x) R(x).

    No P_B and no symmetry correction enter: both policies make the same trajectories. (Venkatraman et al.
    2024, arXiv:2405.20971.)
    """

    prior: Policy
    balance: Balance = Balance()
    """Its regression and log Z are used."""
    old_decay: float | None = None
    needs_partial: bool = False

    def __call__(self, models: Models, experience: Experience, generator: torch.Generator) -> Learned:
        """The losses of the trajectories."""
        trajectories = experience.trajectories
        scores = evaluate(models.current.policy, trajectories).scores()
        with torch.no_grad():
            log_prior = evaluate(self.prior, trajectories).log_pf()
        uncorrected = trajectories.replace(log_symmetry=torch.zeros_like(trajectories.log_symmetry))
        return balanced(
            self.balance,
            models.current,
            replace(experience, trajectories=uncorrected),
            replace(scores, log_pb=log_prior),
        )


def balanced(balance: Balance, model: Model, experience: Experience, scores: Scores) -> Learned:
    """The losses of the trajectories from scores that are as the objective is to see them."""
    condition, target = experience.trajectories.condition, experience.target
    source = balance.log_z
    if source.is_implicit:
        log_z = scores.log_flow[0]
    else:
        if source.starts_from_batch and not model.log_z.is_started:
            model.log_z.start_from(condition, target - log_importance(scores).detach())
        log_z = model.log_z(condition)
    residual, weight = balance.objective(scores, target, log_z, experience.group)
    loss = trajectory_loss(residual, weight, balance.regression)
    if source.pull:
        loss = loss + source.pull * model.log_z.distance(condition).square()
    parts = {
        "log R": target,
        "log Z": log_z,
        "log P_F": scores.log_pf.sum(dim=0),
        "log P_B": scores.log_pb.sum(dim=0),
    }
    return Learned(loss, scores.log_pf, parts, balance.estimate(scores, target, log_z))


def _gone_at_the_ends(energy: Tensor, mask: Tensor) -> Tensor:
    """`energy` float [T + 1, B] with 0 at initial and terminal states and at padding."""
    nowhere = torch.zeros_like(mask[:1])
    return energy.masked_fill(~torch.cat([nowhere, mask[1:], nowhere]), 0.0)
