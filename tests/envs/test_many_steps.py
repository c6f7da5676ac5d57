"""The contract over 100 000 random steps of each environment, and backward actions counted without the library."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch

from fluvial.chem.vocabulary import load_vocabulary
from fluvial.envs.fragments.environment import Fragments
from fluvial.envs.graphs.environment import Graphs
from fluvial.envs.hypergrid import Hypergrid
from fluvial.envs.sequences.environment import Sequences
from fluvial.envs.sets import Sets
from fluvial.testing.check_env import check_env
from fluvial.testing.walks import random_walks

N_STEPS = 100_000


def shorter(word: str, places: Iterable[int]) -> set[str]:
    return {word[:place] + word[place + 1 :] for place in places} if word else set()


def at_the_end(text: str) -> int:
    return len(shorter(text, [len(text) - 1]))


def at_both_ends(text: str) -> int:
    return len(shorter(text, [0, len(text) - 1]))


def anywhere(text: str) -> int:
    return len(shorter(text, range(len(text))))


def members(text: str) -> int:
    return len(text.split(",")) if text else 0


def axes_above_zero(text: str) -> int:
    return sum(int(part) > 0 for part in text.split(","))


def by_text(count: Callable[[str], int]) -> Callable[[Any, Any], list[int]]:
    return lambda env, states: list(map(count, env.decode(states)))


def removable_parts(env: Graphs, states: Any) -> list[int]:
    """Attributes that were set, and nodes and edges without which the graph still hangs together."""
    node, edge, on_node, on_edge = (
        values.tolist()
        for values in (
            states.node,
            states.edge,
            states.node_attribute.bool().sum(dim=2),
            states.edge_attribute.bool().sum(dim=3),
        )
    )
    return [
        parts_of(
            env.rules, [kind > 0 for kind in node[row]].count(True), edge[row], on_node[row], on_edge[row]
        )
        for row in range(len(states))
    ]


def parts_of(rules: Any, size: int, edge: Any, on_node: list[int], on_edge: list[list[int]]) -> int:
    ends = [(i, j) for i in range(size) for j in range(size) if edge[i][j] and (rules.directed or i < j)]
    count = sum(on_node) + sum(on_edge[i][j] for i, j in ends)
    for node in range(size):
        own = [pair for pair in ends if node in pair]
        is_plain = not on_node[node] and not any(on_edge[i][j] for i, j in own)
        # A new node comes with one edge, unless it is the first or nodes need none.
        count += is_plain and len(own) == (rules.connected and size > 1)
    for pair in ends:
        others = [other for other in ends if other != pair]
        is_one = not rules.connected or is_connected(size, others)
        count += not on_edge[pair[0]][pair[1]] and is_one
    return count


def is_connected(size: int, ends: list[tuple[int, int]]) -> bool:
    near = [1 << node for node in range(size)]
    for i, j in ends:
        near[i] |= 1 << j
        near[j] |= 1 << i
    reached, before = near[0], 0
    while reached != before:
        before = reached
        for node in range(size):
            reached |= near[node] * (reached >> node & 1)
    return reached == (1 << size) - 1


SPACES: dict[str, tuple[Any, Callable[[Any, Any], list[int]]]] = {
    "append": (Sequences("ACGT", 12, 2), by_text(at_the_end)),
    "both_ends": (Sequences("AC", 14, 2, "both_ends"), by_text(at_both_ends)),
    "insert": (Sequences("AC", 14, 0, "insert"), by_text(anywhere)),
    "protein": (Sequences("ACDEFGHIKLMNPQRSTVWY", 20, 1, "insert"), by_text(anywhere)),
    "sets": (Sets(30, max_size=12), by_text(members)),
    "hypergrid": (Hypergrid(4, 9), by_text(axes_above_zero)),
    "graphs": (Graphs(node_types=2, max_nodes=9), removable_parts),
    "loose graphs": (Graphs(node_types=2, edge_types=2, max_nodes=7, connected=False), removable_parts),
    "directed graphs": (Graphs(node_types=2, max_nodes=6, directed=True, max_degree=4), removable_parts),
    "attributed graphs": (
        Graphs(node_types=2, max_nodes=7, max_degree=4, node_attributes=(2, 1), edge_attributes=(1,)),
        removable_parts,
    ),
    "trees": (Graphs(node_types=2, max_nodes=12, min_nodes=5, allow_cycles=False), removable_parts),
}
"""Environments, and the number of legal backward actions of unfinished states by brute force."""


@pytest.mark.parametrize("name", SPACES)
def test_backward_actions_of_some_states(name: str) -> None:
    env, brute_force = SPACES[name]
    require_counts(env, brute_force, n_walks=8)


@pytest.mark.long
@pytest.mark.parametrize("name", SPACES)
def test_a_hundred_thousand_steps(name: str) -> None:
    env, brute_force = SPACES[name]
    n_walks = n_walks_for(env)
    report = check_env(env, n_walks, enumerable_limit=100)
    assert report.n_transitions >= N_STEPS
    assert require_counts(env, brute_force, n_walks) >= N_STEPS


@pytest.mark.long
def test_a_hundred_thousand_steps_of_fragments() -> None:
    env = Fragments(load_vocabulary("default"), 5)
    report = check_env(env, n_walks_for(env), enumerable_limit=100)
    assert report.n_transitions >= N_STEPS


def n_walks_for(env: Any) -> int:
    """Walks that have 100 000 transitions together."""
    some = random_walks(env, 500, torch.Generator().manual_seed(1))
    return int(1.1 * N_STEPS * 500 / len(some.transitions.actions))


def require_counts(env: Any, brute_force: Callable[[Any, Any], list[int]], n_walks: int) -> int:
    """The number of steps in whose states the legal backward actions were counted."""
    walks = random_walks(env, n_walks, torch.Generator().manual_seed(0))
    states = walks.distinct_states()
    states = states[~env.is_terminal(states)]
    assert env.back_mask(states).sum(dim=1).tolist() == brute_force(env, states)
    return len(walks.transitions.actions)
