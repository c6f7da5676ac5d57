"""Faults to plant in what a learning rule is given, or in its parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from exact_cases import Case
from torch import Tensor

from fluvial.algorithms.algorithm import Models
from fluvial.algorithms.balance import RelativeBalance
from fluvial.algorithms.flow_matching import FlowMatching
from fluvial.core.batch import Batch
from fluvial.core.categorical import MaskedCategorical
from fluvial.core.policy import PolicyOutput
from fluvial.core.types import Condition
from fluvial.losses.residuals import last_transitions
from fluvial.policy.model import Model
from fluvial.policy.module import PolicyModule
from fluvial.policy.uniform import UniformPolicy
from fluvial.sample.score import Evaluation

Patch = pytest.MonkeyPatch
Plant = Callable[[Case, Patch], Case]


class Spoiled(PolicyModule):
    """A policy whose output is changed."""

    def __init__(self, policy: PolicyModule, change: Callable[[PolicyOutput], PolicyOutput]) -> None:
        super().__init__()
        self.policy, self.change, self.learns_backward = policy, change, policy.learns_backward

    def forward(self, states: Batch, condition: Condition) -> PolicyOutput:
        return self.change(self.policy(states, condition))


def of_output(change: Callable[[PolicyOutput], PolicyOutput]) -> Plant:
    def plant(case: Case, patch: Patch) -> Case:
        model = case.models.current
        spoiled = Model(Spoiled(model.policy, change), model.log_z)
        return replace(case, models=Models(spoiled, spoiled))

    return plant


def of_trajectories(change: Callable[[Any], dict[str, Tensor]]) -> Plant:
    def plant(case: Case, patch: Patch) -> Case:
        trajectories = case.experience.trajectories
        spoiled = trajectories.replace(**change(trajectories))
        return replace(case, experience=replace(case.experience, trajectories=spoiled))

    return plant


def of_attribute(owner: object, name: str, change: Callable[[Any], Any]) -> Plant:
    """`change` makes the wrong function from the right one."""

    def plant(case: Case, patch: Patch) -> Case:
        patch.setattr(owner, name, change(getattr(owner, name)))
        return case

    return plant


def both(first: Plant, second: Plant) -> Plant:
    return lambda case, patch: second(first(case, patch), patch)


def with_log_probs(distribution: MaskedCategorical, log_probs: Tensor) -> MaskedCategorical:
    wrong = MaskedCategorical(distribution.logits.detach(), distribution.mask)
    wrong._log_probs = log_probs
    return wrong


def no_backward(output: PolicyOutput) -> PolicyOutput:
    zero = torch.zeros_like(output.backward.log_probs)
    return replace(output, make_backward=lambda: with_log_probs(output.backward, zero))


def all_numbers_alike(output: PolicyOutput) -> PolicyOutput:
    n_all = output.backward.mask.shape[1]
    even = torch.full_like(output.backward.log_probs, 1.0 / n_all).log()
    return replace(output, make_backward=lambda: with_log_probs(output.backward, even))


def normalised_logits(output: PolicyOutput) -> PolicyOutput:
    return replace(output, forward=MaskedCategorical(output.forward.log_probs, output.forward.mask))


def flow_raised(output: PolicyOutput) -> PolicyOutput:
    return replace(output, log_flow=output.log_flow + 0.1)


def rolled(shift: int) -> Callable[[Any], Any]:
    """Results moved in time."""
    return lambda right: lambda *given: right(*given).roll(shift, dims=0)


def stop_twice(right: Callable[[Evaluation], Tensor]) -> Callable[[Evaluation], Tensor]:
    return lambda evaluation: right(evaluation) * (1 + last_transitions(evaluation.trajectories.mask).long())


def terminal_flow_left(right: Any) -> Any:
    return lambda log_flow, log_reward, mask: log_flow


def nowhere_last(right: Any) -> Any:
    return lambda mask: torch.zeros_like(mask)


def potential_off_by_one(right: Any) -> Any:
    """Sums up to and with transition i where those before it are meant."""

    def wrong(log_pf: Tensor, log_pb: Tensor, log_flow: Tensor, log_reward: Tensor, mask: Tensor) -> Tensor:
        late = torch.cat([log_pf[1:], torch.zeros_like(log_pf[:1])])
        late_back = torch.cat([log_pb[1:], torch.zeros_like(log_pb[:1])])
        potential: Tensor = right(late, late_back, log_flow, log_reward, mask)
        return potential

    return wrong


def mask_short(trajectories: Any) -> dict[str, Tensor]:
    mask = trajectories.mask
    return {"mask": torch.cat([mask[1:], torch.zeros_like(mask[:1])])}


def stopped_again(case: Case, patch: Patch) -> Case:
    """One more stop, at the finished object."""
    given = case.experience.trajectories

    def longer(times: Tensor) -> Tensor:
        return torch.cat([times, torch.zeros_like(times[:1])])

    spoiled = given.replace(
        mask=torch.cat([torch.ones_like(given.mask[:1]), given.mask]),
        actions=longer(given.actions),
        back_actions=longer(given.back_actions),
        log_behaviour=longer(given.log_behaviour),
    )
    columns = (torch.cat([tensor, tensor[-1:]]) for tensor in given.states.tensors())
    spoiled = replace(spoiled, states=type(given.states)(*columns))
    partial = case.experience.log_partial
    if partial is not None:
        partial = torch.cat([partial, torch.full_like(partial[:1], torch.nan)])
    return replace(case, experience=replace(case.experience, trajectories=spoiled, log_partial=partial))


def partial_of_another(case: Case, patch: Patch) -> Case:
    partial = case.experience.log_partial
    wrong = None if partial is None else partial.roll(1, dims=1)
    return replace(case, experience=replace(case.experience, log_partial=wrong))


def log_z_raised(case: Case, patch: Patch) -> Case:
    with torch.no_grad():
        case.models.current.log_z.offset.add_(0.1)
    return case


def other_prior(case: Case, patch: Patch) -> Case:
    if not isinstance(case.algorithm, RelativeBalance):
        return case
    env: Any = getattr(case.algorithm.prior, "env")  # noqa: B009 - a policy need not have one
    return replace(case, algorithm=replace(case.algorithm, prior=UniformPolicy(env)))


def ways_of_another(right: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    def wrong(log_n: Tensor, mask: Tensor) -> Tensor:
        charge = right(log_n, mask).sum(dim=0).roll(1)
        return torch.where(last_transitions(mask), charge, 0.0)

    return wrong


def reward_not_scaled(right: Any) -> Any:
    """The Munchausen share left in the reward of the object."""

    def wrong(
        q: Tensor, log_pb: Tensor, value: Tensor, log_pf: Tensor, log_reward: Tensor, *rest: Any
    ) -> Any:
        mask, share, floor = rest
        return right(q, log_pb, value, log_pf, log_reward / (1.0 - share), mask, share, floor)

    return wrong


def first_parent_dropped(right: Any) -> Any:
    def wrong(table: Tensor, back_mask: Tensor) -> Any:
        is_first = back_mask & (back_mask.cumsum(dim=1) == 1) & (back_mask.sum(dim=1, keepdim=True) > 1)
        return right(table, back_mask & ~is_first)

    return wrong


class DistinctParents:
    """An environment that offers one way back to each parent, numberings left aside."""

    def __init__(self, env: Any) -> None:
        self.env = env

    def __getattr__(self, name: str) -> Any:
        return getattr(self.env, name)

    def back_mask(self, states: Any) -> Tensor:
        mask: Tensor = self.env.back_mask(states)
        rows, back_actions = mask.nonzero(as_tuple=True)
        keys = torch.zeros(mask.shape, dtype=torch.int64)
        keys[rows, back_actions] = self.env.key(self.env.step_back(states[rows], back_actions))
        is_same = (keys[:, :, None] == keys[:, None]) & mask[:, None]
        return mask & ~is_same.tril(-1).any(dim=2)


def each_parent_once(case: Case, patch: Patch) -> Case:
    if not isinstance(case.algorithm, FlowMatching):
        return case
    wrong: Any = DistinctParents(case.algorithm.env)
    return replace(case, algorithm=replace(case.algorithm, env=wrong))


def symmetry(factor: float) -> Plant:
    return of_trajectories(lambda trajectories: {"log_symmetry": factor * trajectories.log_symmetry})
