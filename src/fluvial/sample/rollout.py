"""Trajectories forward from the initial state or from given ones, and backward from given objects."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from fluvial.core.categorical import Distribution, MaskedCategorical
from fluvial.core.environment import Environment, S
from fluvial.core.errors import IllegalActionError
from fluvial.core.policy import Policy
from fluvial.core.types import Condition, Origin, Trajectories
from fluvial.sample.itinerary import Itinerary

Behaviour = Callable[[Distribution], Distribution]
"""How to act, given the policy's distribution."""


def as_policy(distribution: Distribution) -> Distribution:
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
    start: S | None = None,
) -> Trajectories[S]:
    """One trajectory for each row of `condition`, with log reward nan; only unfinished rows are evaluated.

    They begin at `start`, unfinished states [B, ...], where given, else at the initial state.
    """
    rows = torch.arange(len(condition), device=condition.device)
    before = env.initial(len(rows), condition.device) if start is None else start
    itinerary, asked = Itinerary(before), condition
    while len(rows):
        distribution = behaviour(policy(before, asked).forward)
        chosen = distribution.sample(generator)
        after = env.step(before, chosen)
        undone = env.undo(before, chosen, after)
        itinerary.add(rows, after, torch.stack([chosen, undone], dim=1), distribution.log_prob(chosen))
        going, before = (~env.is_terminal(after)).nonzero().squeeze(1), after
        if len(going) < len(rows):
            rows, before, asked = rows[going], after[going], asked[going]
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
        distribution = backward_distribution(env, policy, after, condition[rows])
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


def backward_distribution(
    env: Environment[S], policy: Policy | None, states: S, condition: Condition
) -> MaskedCategorical:
    """P_B at B states; a terminal state has one parent, so the policy is asked about the others only."""
    uniform = MaskedCategorical.uniform(env.back_mask(states))
    rows = (~env.is_terminal(states)).nonzero().squeeze(1)
    if policy is None or not policy.learns_backward or len(rows) == 0:
        return uniform
    learned = policy(states[rows], condition[rows]).backward
    return MaskedCategorical(
        uniform.log_probs.to(learned.log_probs).index_copy(0, rows, learned.log_probs), uniform.mask
    )


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
        values=torch.zeros((n_rows, 0), dtype=torch.float64, device=device),
    )


def spliced(head: Trajectories[S], n_head: Tensor, tail: Trajectories[S]) -> Trajectories[S]:
    """The first `n_head` int64 [B] transitions of `head`, then all of `tail`, which begins where they end.

    What belongs to a trajectory as a whole (condition, reward, origin and so on) is the tail's.
    """
    n_rows, device = len(n_head), n_head.device
    n_moves, n_tail = head.mask.shape[0], tail.mask.shape[0]
    length = max((n_head + tail.n_steps).tolist(), default=0)
    times = torch.arange(length + 1, device=device)[:, None].expand(-1, n_rows)
    since = (times - n_head).clamp_max(n_tail)
    # The moves of the tail are followed by one more, which is padding, as its states are by the last one.
    move = torch.where(since < 0, times, n_moves + since)[:-1]
    position = torch.where(since < 0, times, n_moves + 1 + since)

    def joined(mine: Tensor, theirs: Tensor) -> Tensor:
        return torch.cat([mine, theirs, theirs.new_zeros(1, n_rows)]).gather(0, move)

    rows = torch.arange(n_rows, device=device)
    return dataclasses.replace(
        tail,
        actions=joined(head.actions, tail.actions),
        back_actions=joined(head.back_actions, tail.back_actions),
        mask=joined(head.mask, tail.mask),
        states=type(tail.states).cat([head.states, tail.states])[position, rows],
        log_behaviour=joined(head.log_behaviour, tail.log_behaviour),
    )


@torch.no_grad()
def renumbered(env: Environment[S], trajectories: Trajectories[S]) -> Trajectories[S]:
    """The same trajectories through the very states that their actions make, so that `retrace` can follow.

    Where the environment merges equivalent states, a trajectory made backward passes other numberings, in
    which the same choice can have another action number. `log_behaviour` is kept.

    Raises:
        IllegalActionError: no action leads to a state equivalent to the next one.
    """
    n_times, n_rows = trajectories.mask.shape
    key = env.key(trajectories.states.flatten()).reshape(n_times + 1, n_rows)
    states = [env.initial(n_rows, key.device)]
    actions = torch.zeros_like(trajectories.actions)
    back_actions = torch.zeros_like(trajectories.back_actions)
    for time, live in enumerate(trajectories.mask):
        rows = live.nonzero().squeeze(1)
        before = states[-1][rows]
        chosen = _actions_to(env, before, key[time + 1, rows], trajectories.actions[time, rows])
        after = env.step(before, chosen)
        actions[time, rows] = chosen
        back_actions[time, rows] = env.undo(before, chosen, after)
        states.append(states[-1].put(rows, after))
    return dataclasses.replace(
        trajectories, actions=actions, back_actions=back_actions, states=type(states[0]).stack(states)
    )


def _actions_to(env: Environment[S], before: S, goal: Tensor, guess: Tensor) -> Tensor:
    """Legal actions that make states with the keys `goal`, int64 [M]; the guess where it does."""
    mask = env.mask(before)
    is_right = mask.gather(1, guess[:, None]).squeeze(1)
    legal = is_right.nonzero().squeeze(1)
    is_right[legal] = env.key(env.step(before[legal], guess[legal])) == goal[legal]
    rows, others = (mask & ~is_right[:, None]).nonzero(as_tuple=True)
    fits = env.key(env.step(before[rows], others)) == goal[rows]
    rows, others = rows[fits], others[fits]
    is_right[rows] = True
    if not bool(is_right.all()):
        raise IllegalActionError(
            f"{int((~is_right).sum())} of {len(guess)} states have no action to the next one of their"
            " trajectory: step and step_back of this environment are not inverse; see testing.check_env"
        )
    return guess.scatter_reduce(0, rows, others, "amin", include_self=False)


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
