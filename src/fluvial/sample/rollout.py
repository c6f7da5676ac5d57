"""Trajectories forward from the initial state, and backward from given objects."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fluvial.core.categorical import MaskedCategorical
from fluvial.core.environment import Environment, S
from fluvial.core.errors import IllegalActionError
from fluvial.core.policy import Policy
from fluvial.core.types import Condition, Origin, Trajectories
from fluvial.sample.itinerary import Itinerary

Behaviour = Callable[[MaskedCategorical], MaskedCategorical]
"""How to act, given the policy's distribution."""


def as_policy(distribution: MaskedCategorical) -> MaskedCategorical:
    """Act by the policy itself."""
    return distribution


@torch.no_grad()
def rollout(
    env: Environment[S],
    policy: Policy,
    condition: Condition,
    generator: torch.Generator,
    behaviour: Behaviour = as_policy,
    born: int = 0,
) -> Trajectories[S]:
    """One trajectory for each row of `condition`, with log reward nan; only unfinished rows are evaluated."""
    rows = torch.arange(len(condition), device=condition.device)
    before = env.initial(len(rows), condition.device)
    itinerary = Itinerary(before)
    while len(rows):
        distribution = behaviour(policy(before, condition[rows]).forward)
        chosen = distribution.sample(generator)
        after = env.step(before, chosen)
        undone = env.undo(before, chosen, after)
        itinerary.add(rows, after, torch.stack([chosen, undone], dim=1), distribution.log_prob(chosen))
        unfinished = ~env.is_terminal(after)
        rows, before = rows[unfinished], after[unfinished]
    positions = itinerary.positions()
    mask = positions[1:] != positions[:-1]
    actions, back_actions, log_behaviour = itinerary.moves_at(positions[1:], mask)
    states = itinerary.states_at(positions)
    return _trajectories(
        env, (actions, back_actions, mask), states, condition, log_behaviour, Origin.POLICY, born
    )


@torch.no_grad()
def backward_rollout(
    env: Environment[S],
    policy: Policy | None,
    final_states: S,
    condition: Condition,
    generator: torch.Generator,
    behaviour: Behaviour = as_policy,
) -> Trajectories[S]:
    """Trajectories that end in given terminal states, drawn by the backward policy (None: the uniform one).

    Each action fits the state of its own time; where the environment merges equivalent states, the next
    state may be another numbering of what the action makes.
    """
    rows = torch.arange(len(final_states), device=final_states.device)
    itinerary = Itinerary(final_states)
    after = final_states
    while len(rows):
        distribution = _backward_distribution(env, policy, after, condition[rows])
        chosen = behaviour(distribution).sample(generator)
        before = env.step_back(after, chosen)
        redone = env.redo(before, chosen, after)
        itinerary.add(rows, before, torch.stack([redone, chosen], dim=1), distribution.log_prob(chosen))
        unfinished = ~env.is_initial(before)
        rows, after = rows[unfinished], before[unfinished]
    visited = itinerary.positions()
    length = (visited[1:] != visited[:-1]).sum(dim=0)
    times = torch.arange(len(visited), device=length.device)[:, None]
    positions = visited.gather(0, (length - times).clamp_min(0))
    mask = times[:-1] < length
    actions, back_actions, _ = itinerary.moves_at(positions[:-1], mask)
    unknown = torch.full(mask.shape, torch.nan, device=mask.device).masked_fill(~mask, 0.0)
    states = itinerary.states_at(positions)
    return _trajectories(env, (actions, back_actions, mask), states, condition, unknown, Origin.REPLAY, 0)


def _backward_distribution(
    env: Environment[S], policy: Policy | None, states: S, condition: Condition
) -> MaskedCategorical:
    """P_B at B states; a terminal state has one parent, so the policy is asked about the others only."""
    uniform = MaskedCategorical.uniform(env.back_mask(states))
    rows = (~env.is_terminal(states)).nonzero().squeeze(1)
    if policy is None or not policy.learns_backward or len(rows) == 0:
        return uniform
    learned = policy(states[rows], condition[rows]).backward
    return MaskedCategorical(uniform.log_probs.index_copy(0, rows, learned.log_probs), uniform.mask)


def _trajectories(
    env: Environment[S],
    moves: tuple[Tensor, Tensor, Tensor],
    states: S,
    condition: Condition,
    log_behaviour: Tensor,
    origin: Origin,
    born: int,
) -> Trajectories[S]:
    actions, back_actions, mask = moves
    n_rows, device = len(condition), condition.device
    return Trajectories(
        actions=actions,
        back_actions=back_actions,
        mask=mask,
        states=states,
        condition=condition,
        log_reward=torch.full((n_rows,), torch.nan, device=device),
        log_symmetry=env.log_symmetry(states[-1]).to(torch.get_default_dtype()),  # type: ignore[index]
        log_behaviour=log_behaviour,
        origin=torch.full((n_rows,), origin, device=device),
        born=torch.full((n_rows,), born, device=device),
    )


@torch.no_grad()
def retrace(env: Environment[S], actions: Tensor, n_steps: Tensor) -> S:
    """The terminal states that stored actions int64 [T, B] build in `n_steps` int64 [B] transitions.

    Raises:
        IllegalActionError: an action is not legal, so the actions belong to another environment.
    """
    states = env.initial(actions.shape[1], actions.device)
    for time, chosen in enumerate(actions):
        is_due = time < n_steps
        legal = env.mask(states).gather(1, chosen[:, None]).squeeze(1)
        if not bool((legal | ~is_due).all()):
            row = int((~legal & is_due).nonzero()[0])
            raise IllegalActionError(
                f"action {int(chosen[row])} at step {time} of stored trajectory {row} is not legal here:"
                " it was made in an environment with another vocabulary or other limits"
            )
        states = env.step(states, chosen).where(is_due, states)
    return states
