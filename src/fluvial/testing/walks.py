"""The states and transitions that the environment checker looks at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic

import torch
from torch import Tensor

from fluvial.core.categorical import MaskedCategorical
from fluvial.core.enumeration import StateGraph, enumerate_within, first_occurrences, labelled_identity
from fluvial.core.environment import Environment, S
from fluvial.core.errors import DataError
from fluvial.testing.contract import ContractError

ROWS_AT_ONCE = 8192  # bounds memory
MOST_STATES = 2048  # distinct walked states to look at where the environment is too large to enumerate
MOST_PAIRS = 16384  # of their state-action pairs


@dataclass(frozen=True)
class Transitions(Generic[S]):
    """B transitions."""

    states: S
    """[B, ...], not terminal."""
    actions: Tensor
    """int64 [B], legal."""
    next_states: S
    """[B, ...]."""

    def __getitem__(self, rows: Tensor) -> Transitions[S]:
        return Transitions(self.states[rows], self.actions[rows], self.next_states[rows])


@dataclass(frozen=True)
class Walks(Generic[S]):
    """Random legal walks from the initial state."""

    transitions: Transitions[S]
    """Those of all walks."""
    last: S
    """[n, ...], where the walks were after `max_steps` transitions at most."""
    before_limit: S
    """States at which all but one of the `max_steps` transitions were used up; may be empty."""
    longest: int
    """Transitions of the longest walk."""

    def distinct_states(self) -> S:
        """Every state that was met, once."""
        before, after = self.transitions.states, self.transitions.next_states
        states = type(before).cat([before, after])
        return states[first_occurrences(labelled_identity(states))]


def random_walks(env: Environment[S], n: int, generator: torch.Generator) -> Walks[S]:
    """`n` walks of uniformly random legal actions; every other walk stops only where it has to."""
    states = env.initial(n)
    is_patient = torch.arange(n) % 2 == 1
    parts: list[Transitions[S]] = []
    before_limit = states[:0]
    while len(parts) < env.max_steps:
        mask = env.mask(states)
        is_live = mask.any(dim=1)
        if not bool(is_live.any()):
            break
        allowed = mask | ~is_live[:, None]
        allowed[:, 0] &= ~(is_patient & mask[:, 1:].any(dim=1))
        actions = torch.where(is_live, MaskedCategorical.uniform(allowed).sample(generator), 0)
        next_states = env.step(states, actions)
        if len(parts) == env.max_steps - 1:
            before_limit = states[is_live]
        parts.append(Transitions(states, actions, next_states)[is_live])
        states = next_states
    return Walks(_joined(parts, states), states, before_limit, len(parts))


def _joined(parts: list[Transitions[S]], empty: S) -> Transitions[S]:
    nothing = Transitions(empty[:0], torch.zeros(0, dtype=torch.int64), empty[:0])
    parts = [nothing, *parts]
    return Transitions(
        type(empty).cat([part.states for part in parts]),
        torch.cat([part.actions for part in parts]),
        type(empty).cat([part.next_states for part in parts]),
    )


def enumerated(env: Environment[S], limit: int) -> StateGraph[S] | None:
    """All states, relabelled copies apart where that stays within `limit`, else by key, else None."""
    try:
        graph = enumerate_within(env, limit, labelled_identity)
        return enumerate_within(env, limit) if graph is None else graph
    except DataError as error:
        raise ContractError(f"clause 5: {error}") from error


def all_transitions(env: Environment[S], graph: StateGraph[S]) -> Iterator[Transitions[S]]:
    """Every transition of an enumerated environment, some thousand at a time."""
    for edges in torch.split(torch.arange(graph.n_edges), ROWS_AT_ONCE):
        states, actions = graph.states[graph.source[edges]], graph.action[edges]
        yield Transitions(states, actions, env.step(states, actions))


def sampled_transitions(
    env: Environment[S], walks: Walks[S], generator: torch.Generator
) -> Iterator[Transitions[S]]:
    """The walks' own transitions and legal actions that they did not take, some thousand at a time."""
    for rows in torch.split(torch.arange(len(walks.transitions.actions)), ROWS_AT_ONCE):
        yield walks.transitions[rows]
    states = sampled_states(walks, generator)
    pairs = env.mask(states).nonzero()
    pairs = pairs[torch.randperm(len(pairs), generator=generator)][:MOST_PAIRS]
    for part in torch.split(pairs, ROWS_AT_ONCE):
        before, actions = states[part[:, 0]], part[:, 1]
        yield Transitions(before, actions, env.step(before, actions))


def sampled_states(walks: Walks[S], generator: torch.Generator) -> S:
    """Some of the distinct states that the walks met."""
    states = walks.distinct_states()
    return states[torch.randperm(len(states), generator=generator)[:MOST_STATES]]
