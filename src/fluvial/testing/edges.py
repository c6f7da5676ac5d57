"""Clauses 1 and 2 of the environment contract: stop, masks, and steps forward and backward.

Each function raises a `ContractError` where its statement is false.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from fluvial.core.batch import Batch
from fluvial.core.categorical import MaskedCategorical
from fluvial.core.enumeration import StateGraph
from fluvial.core.environment import Environment, S
from fluvial.core.hashing import GOLDEN
from fluvial.testing.contract import require, same_rows
from fluvial.testing.walks import MOST_PAIRS, ROWS_AT_ONCE, Transitions


def clause_1_masks(env: Environment[S], states: S) -> None:
    """Both masks are bool tables, and allow nothing exactly at terminal and at initial states."""
    tables = {
        "mask": (env.mask(states), env.n_actions, env.is_terminal(states), "terminal"),
        "back_mask": (env.back_mask(states), env.n_back_actions, env.is_initial(states), "initial"),
    }
    for name, (table, width, is_end, end) in tables.items():
        is_table = table.dtype == torch.bool and table.shape == (len(states), width)
        require(
            1, is_table, f"{name} is {table.dtype} {list(table.shape)}, not bool [{len(states)}, {width}]"
        )
        has_legal = table.any(dim=1)
        require(1, has_legal | is_end, f"{name} allows nothing at a state that is not {end}", state=states)
        require(1, ~(has_legal & is_end), f"{name} allows an action at the {end} state", state=states)


def clause_1_initial(env: Environment[S]) -> None:
    """`initial` gives copies of one state that is initial, not terminal, and a fixed point of `step_back`."""
    states = env.initial(env.n_back_actions)
    copies = type(states).cat([states[:1]] * len(states))
    require(1, same_rows(states, copies), "rows of initial differ", state=states)
    require(1, env.is_initial(states), "is_initial is False at the initial state", state=states)
    require(1, ~env.is_terminal(states), "the initial state is terminal", state=states)
    back_actions = torch.arange(env.n_back_actions)
    parents = env.step_back(states, back_actions)
    require(
        1, same_rows(parents, states), "step_back moves the initial state", state=states, action=back_actions
    )


def clause_1_stop(env: Environment[S], transitions: Transitions[S]) -> None:
    """Action 0 finishes, no other action does, and backward action 0 undoes it and nothing else."""
    states, actions, after = transitions.states, transitions.actions, transitions.next_states
    is_stop, is_done = actions == 0, env.is_terminal(after)
    place: dict[str, Batch | Tensor] = {"state": states, "action": actions}
    require(1, is_done | ~is_stop, "action 0 is not stop: the next state is not terminal", **place)
    require(1, is_stop | ~is_done, "an action other than stop (0) makes the state terminal", **place)
    legal = env.back_mask(after)
    undoes = legal[:, 0] & ~legal[:, 1:].any(dim=1)
    require(1, undoes | ~is_done, "the one backward action of a terminal state is not 0", state=after)
    require(1, is_done | ~legal[:, 0], "undoing the stop (0) is legal at an unfinished state", state=after)


def clause_1_fixed_points(env: Environment[S], terminal: S) -> None:
    """`step` leaves a finished row as it is, whatever the action."""
    some = terminal[: max(1, MOST_PAIRS // env.n_actions)]
    states = some.repeat(env.n_actions)
    actions = torch.arange(env.n_actions).repeat(len(some))
    same = same_rows(env.step(states, actions), states)
    require(1, same, "a terminal state is no fixed point of step", state=states, action=actions)


def clause_2_undo(env: Environment[S], transitions: Transitions[S]) -> None:
    """`undo` gives a legal backward action that leads to the very same state, and `redo` inverts it."""
    states, actions, after = transitions.states, transitions.actions, transitions.next_states
    back_actions = env.undo(states, actions, after)
    place: dict[str, Batch | Tensor] = {"state": states, "action": actions, "back_action": back_actions}
    legal = _is_legal(env.back_mask(after), back_actions)
    require(2, legal, "undo gives a backward action that back_mask forbids", **place)
    same = same_rows(env.step_back(after, back_actions), states)
    require(2, same, "step_back(step(s, a), undo(s, a)) is not s", **place)
    again = env.redo(states, back_actions, after)
    require(2, again == actions, "redo does not invert undo", redo=again, **place)


def clause_2_redo(env: Environment[S], states: S, generator: torch.Generator) -> None:
    """A legal backward action leads to an unfinished parent, from which `redo` leads back to the same key."""
    for after, back_actions in _back_pairs(env, states, MOST_PAIRS, generator):
        parents = env.step_back(after, back_actions)
        actions = env.redo(parents, back_actions, after)
        place: dict[str, Batch | Tensor] = {
            "state": after,
            "back_action": back_actions,
            "parent": parents,
            "redo": actions,
        }
        require(2, ~env.is_terminal(parents), "a backward action leads to a terminal state", **place)
        legal = _is_legal(env.mask(parents), actions)
        require(2, legal, "redo after a backward action gives an action that mask forbids", **place)
        same = env.key(env.step(parents, actions)) == env.key(after)
        require(2, same, "step(parent, redo) has another key than the state", **place)


def clause_2_same_edges(env: Environment[S], graph: StateGraph[S], generator: torch.Generator) -> None:
    """Every backward edge is the reverse of a forward edge between reachable states.

    That each forward edge has its backward edge is what `clause_2_undo` checks.
    """
    keys = env.key(graph.states)
    forward = _pair_number(keys[graph.source], keys[graph.target])
    for after, back_actions in _back_pairs(env, graph.states, None, generator):
        parents = env.step_back(after, back_actions)
        parent_keys = env.key(parents)
        place: dict[str, Batch | Tensor] = {"state": after, "back_action": back_actions, "parent": parents}
        reachable = torch.isin(parent_keys, keys)
        require(2, reachable, "a backward action leads to a state that no forward path reaches", **place)
        paired = torch.isin(_pair_number(parent_keys, env.key(after)), forward)
        require(2, paired, "a backward edge is not the reverse of a forward edge", **place)


def clause_2_backward_walks(env: Environment[S], terminal: S, generator: torch.Generator) -> None:
    """Random backward walks from terminal states end at the initial state within `max_steps`."""
    states = terminal
    for _ in range(env.max_steps):
        legal = env.back_mask(states)
        is_live = legal.any(dim=1, keepdim=True)
        back_actions = MaskedCategorical.uniform(legal | ~is_live).sample(generator)
        states = env.step_back(states, back_actions)
    message = f"a backward walk is not at the initial state after max_steps={env.max_steps} transitions"
    require(2, env.is_initial(states), message, start=terminal, end=states)


def _is_legal(mask: Tensor, actions: Tensor) -> Tensor:
    in_range = (actions >= 0) & (actions < mask.shape[1])
    return in_range & mask.gather(1, torch.where(in_range, actions, 0)[:, None])[:, 0]


def _back_pairs(
    env: Environment[S], states: S, most: int | None, generator: torch.Generator
) -> Iterator[tuple[S, Tensor]]:
    """States with legal backward actions in random order: all, or `most`, some thousand at a time."""
    pairs = env.back_mask(states).nonzero()
    chosen = pairs[torch.randperm(len(pairs), generator=generator)][:most]
    for part in torch.split(chosen, ROWS_AT_ONCE):
        yield states[part[:, 0]], part[:, 1]


def _pair_number(source: Tensor, target: Tensor) -> Tensor:
    """One int64 for each ordered pair of keys, equal for different pairs only by a 64-bit accident."""
    return source * GOLDEN + target
