"""Backward policies: what log P_B an objective sees, and how P_B itself is learned.

Each rule takes one evaluation of the policy. The loss of P_B is separate from the objective's, so that it
reaches P_B although the objective sees fixed numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from fluvial.algorithms.algorithm import Learned
from fluvial.core.batch import Batch
from fluvial.core.environment import Environment
from fluvial.core.policy import Policy
from fluvial.core.types import Origin, Trajectories
from fluvial.losses.backward import (
    N_LOSSES,
    maxent_log_pb,
    negative_log_likelihood,
    path_log_pb,
    score_function,
)
from fluvial.losses.objectives import trajectory_loss
from fluvial.losses.regression import Regression
from fluvial.losses.reinforcement import baseline
from fluvial.sample.rollout import backward_rollout
from fluvial.sample.score import Evaluation, evaluate


@dataclass(frozen=True)
class BackwardTerms:
    """What a backward policy adds to a step."""

    log_pb: Tensor
    """float [T, B], what the objective sees."""
    loss: Tensor | None = None
    """float [B], what P_B itself learns from; None where it learns from the objective, or not at all."""


def taught(learned: Learned, terms: BackwardTerms) -> Learned:
    """What a learning rule says, with the loss of P_B added where P_B has its own."""
    if terms.loss is None:
        return learned
    return replace(
        learned,
        loss=learned.loss + terms.loss,
        own_loss=learned.loss,
        parts={**learned.parts, "backward loss": terms.loss},
        metrics={**learned.metrics, "backward_loss": terms.loss.mean()},
    )


BackwardRule = Callable[[Evaluation, Policy, Tensor, torch.Generator], BackwardTerms]
"""`rule(evaluation, policy, group, generator)`; `policy` is the one that was evaluated, `group` int64 [B] as
in `Experience`."""


def of_policy(
    evaluation: Evaluation, policy: Policy, group: Tensor, generator: torch.Generator
) -> BackwardTerms:
    """P_B as the policy has it: uniform over true parents, or learned freely by the objective."""
    return BackwardTerms(evaluation.log_pb())


def nothing(
    evaluation: Evaluation, policy: Policy, group: Tensor, generator: torch.Generator
) -> BackwardTerms:
    """log P_B = 0: every way to an object earns its whole reward, which is right on trees only."""
    log_pb = evaluation.log_pb()
    return BackwardTerms(torch.zeros_like(log_pb))


def maxent_exact(log_n: Callable[[Any], Tensor]) -> BackwardRule:
    """The P_B under which all ways to an object are equally likely, n(s) / n(s'), from known counts.

    (Mohammadpour et al. 2024, arXiv:2312.14331.)

    Args:
        log_n: states [L] to the log number of ways back from each, float [L].
    """

    def rule(
        evaluation: Evaluation, policy: Policy, group: Tensor, generator: torch.Generator
    ) -> BackwardTerms:
        return BackwardTerms(maxent_log_pb(_counted(evaluation, log_n), evaluation.trajectories.mask))

    return rule


def gsql_exact(log_n: Callable[[Any], Tensor]) -> BackwardRule:
    """-log n(x) for the whole way back, charged to the stop: the same target without a P_B for each state."""

    def rule(
        evaluation: Evaluation, policy: Policy, group: Tensor, generator: torch.Generator
    ) -> BackwardTerms:
        return BackwardTerms(path_log_pb(_counted(evaluation, log_n), evaluation.trajectories.mask))

    return rule


def maxent(n_loss: str, regression: Regression, weight: float) -> BackwardRule:
    """A learned P_B that an n-loss pulls to n(s) / n(s'); the objective does not touch it.

    Args:
        n_loss: a name in `fluvial.losses.backward.N_LOSSES`.
        regression: from residuals to losses.
        weight: of the n-loss.
    """

    def rule(
        evaluation: Evaluation, policy: Policy, group: Tensor, generator: torch.Generator
    ) -> BackwardTerms:
        log_pb = evaluation.log_pb()
        loss = _path_loss(log_pb, evaluation, n_loss, regression)
        return BackwardTerms(log_pb.detach(), weight * loss)

    return rule


def gsql(n_loss: str, regression: Regression, weight: float) -> BackwardRule:
    """-log n(x) from the network for the whole way back, which an n-loss teaches beside P_B."""

    def rule(
        evaluation: Evaluation, policy: Policy, group: Tensor, generator: torch.Generator
    ) -> BackwardTerms:
        log_n = evaluation.log_n().detach()
        loss = _path_loss(evaluation.log_pb(), evaluation, n_loss, regression)
        return BackwardTerms(path_log_pb(log_n, evaluation.trajectories.mask), weight * loss)

    return rule


def likelihood(weight: float, origins: frozenset[Origin]) -> BackwardRule:
    """A learned P_B that finds the ways likely which were taken; the objective does not touch it.

    Of trajectories that the policy makes: trajectory-likelihood maximisation (Gritsaev et al. 2025,
    arXiv:2410.15474). Of all that were made forward, stored ones too: the pessimistic backward policy
    (Jang et al. 2024, arXiv:2405.16012).

    Args:
        weight: of the negative log likelihood.
        origins: which trajectories are learned from.
    """

    def rule(
        evaluation: Evaluation, policy: Policy, group: Tensor, generator: torch.Generator
    ) -> BackwardTerms:
        log_pb, origin = evaluation.log_pb(), evaluation.trajectories.origin
        is_learned = torch.isin(origin, origin.new_tensor(sorted(origins)))
        loss = weight * negative_log_likelihood(log_pb)
        return BackwardTerms(log_pb.detach(), torch.where(is_learned, loss, 0.0))

    return rule


PathReward = Callable[[Trajectories[Any]], Tensor]
"""Trajectories that were drawn back from objects to the initial state, to a reward of each, float [B]."""


N_WAYS = 4
"""Ways drawn back from each object to compare; arbitrary."""


def shortness(trajectories: Trajectories[Any]) -> Tensor:
    """Minus the number of transitions, float [B]: short ways are better, where an object has longer ones."""
    return -trajectories.n_steps.to(torch.get_default_dtype())


def reinforce(
    env: Environment[Any], reward: PathReward, weight: float, entropy_weight: float = 0.0
) -> BackwardRule:
    """A learned P_B that earns a reward where its own way back reaches the initial state, by REINFORCE.

    Several ways are drawn back from each object, and each is compared with the others of the same object:
    where all earn the same, nothing is learned. With an entropy weight each way earns -log P_B too, times
    that weight. So P_B of a way goes to exp(reward / entropy_weight), normalised over the ways to the object;
    without one, all goes to the best way. (Cretu et al. 2024, arXiv:2405.01155.)

    Args:
        env: the environment.
        reward: of a way.
        weight: of the loss.
        entropy_weight: reward that one nat is worth, >= 0.
    """

    def rule(
        evaluation: Evaluation, policy: Policy, group: Tensor, generator: torch.Generator
    ) -> BackwardTerms:
        given = evaluation.trajectories
        drawn: Trajectories[Batch] = backward_rollout(
            env, policy, given.final_states.repeat(N_WAYS), given.condition.repeat(N_WAYS), generator
        )
        log_pb = evaluate(policy, drawn).log_pb()
        earned = reward(drawn) - entropy_weight * log_pb.detach().sum(dim=0)
        same_object = torch.arange(len(group), device=group.device).repeat_interleave(N_WAYS)
        loss = score_function(log_pb, earned - baseline(earned, same_object))
        return BackwardTerms(evaluation.log_pb().detach(), weight * loss.reshape(-1, N_WAYS).mean(dim=1))

    return rule


def _path_loss(log_pb: Tensor, evaluation: Evaluation, n_loss: str, regression: Regression) -> Tensor:
    residual, weight = N_LOSSES[n_loss](log_pb, evaluation.log_n(), evaluation.trajectories.mask)
    return trajectory_loss(residual, weight, regression)


def _counted(evaluation: Evaluation, log_n: Callable[[Any], Tensor]) -> Tensor:
    """Known log n of the states, float [T + 1, B]; 0 where the stop was taken, which no rule reads."""
    states = evaluation.trajectories.states[:-1].flatten()
    counts = log_n(states[evaluation.live])
    return evaluation.at_states(counts.to(evaluation.output.log_flow.dtype))
