"""Checks an environment against the contract that samplers and objectives rely on."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from fluvial.core.environment import Environment, S
from fluvial.testing import edges, objects
from fluvial.testing.contract import ContractError, guarded
from fluvial.testing.rows import clause_6_no_loop, clause_6_rows
from fluvial.testing.walks import (
    Walks,
    all_transitions,
    enumerated,
    random_walks,
    sampled_states,
    sampled_transitions,
)

__all__ = ["ContractError", "EnvReport", "check_env"]


@dataclass(frozen=True)
class EnvReport:
    """What was looked at."""

    is_exhaustive: bool
    """Whether every reachable state and transition was checked, and clause 3 with them; else a sample was."""
    n_states: int
    """States checked."""
    n_terminal: int
    """Terminal states among them."""
    n_transitions: int
    """Transitions checked."""
    longest_walk: int
    """Transitions of the longest random walk."""


def check_env(
    env: Environment[S], n_trajectories: int = 256, seed: int = 0, enumerable_limit: int = 20_000
) -> EnvReport:
    """What was checked, when the environment keeps all six clauses of the contract.

    1. Action 0 is stop; terminal rows are fixed points; all other reachable states have a legal action.
    2. `step_back` inverts `step`, `redo` inverts `undo`; forward and backward edges are the same set.
    3. W(x) exp(log_symmetry(x)) = 1 for each terminal state under the uniform backward policy.
    4. `encode(decode(x))` has the key of x, and equal keys mean equal objects.
    5. Every trajectory ends within `max_steps`, in an object.
    6. Calls are pure, deterministic, independent by row and free of loops over rows.

    Args:
        env: the environment, on the CPU.
        n_trajectories: random walks.
        seed: of the generator that they and all samples come from.
        enumerable_limit: an environment of at most so many states is checked exhaustively, a larger one by
            the states that the walks meet, without clause 3. 20 000 takes seconds.

    Raises:
        ContractError: naming the clause and the first state and action that break it.
    """
    generator = torch.Generator().manual_seed(seed)
    pure = guarded(env)
    edges.clause_1_masks(pure, pure.initial(1))
    edges.clause_1_initial(pure)
    walks = random_walks(pure, n_trajectories, generator)
    _check_walks(env, walks, generator)
    graph = enumerated(pure, enumerable_limit)
    states = sampled_states(walks, generator) if graph is None else graph.states
    transitions = (
        sampled_transitions(pure, walks, generator) if graph is None else all_transitions(pure, graph)
    )
    n_transitions = 0
    for part in transitions:
        edges.clause_1_stop(pure, part)
        edges.clause_2_undo(pure, part)
        n_transitions += len(part.actions)
    edges.clause_1_masks(pure, states)
    terminal = walks.last if graph is None else states[graph.is_terminal]
    edges.clause_1_fixed_points(pure, terminal)
    objects.clause_4_key(pure, states)
    if graph is not None:
        edges.clause_2_same_edges(pure, graph, generator)
    edges.clause_2_redo(pure, states, generator)
    edges.clause_2_backward_walks(pure, walks.last, generator)
    if graph is not None:
        objects.clause_3_weights(pure, graph)
    objects.clause_4_round_trip(pure, terminal)
    objects.clause_4_rubbish(pure)
    return EnvReport(graph is not None, len(states), len(terminal), n_transitions, walks.longest)


def _check_walks(env: Environment[S], walks: Walks[S], generator: torch.Generator) -> None:
    """What must hold before the states can be enumerated, and clause 6, which needs some states only."""
    pure = guarded(env)
    edges.clause_1_masks(pure, walks.distinct_states())
    edges.clause_1_stop(pure, walks.transitions)
    objects.clause_5_ends(pure, walks)
    order = torch.randperm(len(walks.transitions.actions), generator=generator)
    is_stop = walks.transitions.actions[order] == 0
    for kind in (order[is_stop], order[~is_stop]):
        some = walks.transitions[kind]
        if len(kind):
            clause_6_rows(pure, some)
            clause_6_no_loop(env, some)
