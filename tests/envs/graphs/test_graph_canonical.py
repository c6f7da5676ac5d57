"""Key, number of automorphisms and canonical text against all permutations, and on known graphs."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from fluvial.core.environment import Found
from fluvial.envs.graphs import canonical
from fluvial.envs.graphs.environment import Graphs
from fluvial.envs.graphs.state import Graph
from fluvial.policy.uniform import UniformPolicy
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import rollout


def plain(n_nodes: int, edges: Sequence[tuple[int, int]], types: Sequence[int] | None = None) -> Graph:
    env = Graphs(node_types=4, max_nodes=n_nodes)
    nodes = " ".join(map(str, types or [0] * n_nodes))
    encoded = env.encode([f"{nodes} | {' '.join(f'{first}-{second}' for first, second in edges)}"])
    assert encoded.found.tolist() == [Found.ONE]
    return encoded.states


def ring(n_nodes: int) -> list[tuple[int, int]]:
    return [(node, (node + 1) % n_nodes) for node in range(n_nodes)]


def n_automorphisms(graph: Graph) -> float:
    return round(float(canonical.settle(graph).log_automorphisms.exp()), 6)


ROOK = [(a, b) for a, b in itertools.combinations(range(16), 2) if a // 4 == b // 4 or a % 4 == b % 4]
SHRIKHANDE = [
    (a, b)
    for a, b in itertools.combinations(range(16), 2)
    if ((a // 4 - b // 4) % 4, (a % 4 - b % 4) % 4) in {(0, 1), (0, 3), (1, 0), (3, 0), (1, 1), (3, 3)}
]
PETERSEN = [*ring(5), *((node, node + 5) for node in range(5)), *((5 + i, 5 + (i + 2) % 5) for i in range(5))]


@pytest.mark.parametrize(
    ("graph", "count"),
    [
        (plain(1, []), 1),
        (plain(3, [(0, 1), (1, 2)]), 2),
        (plain(4, list(itertools.combinations(range(4), 2))), 24),
        (plain(9, list(itertools.combinations(range(9), 2))), math.factorial(9)),
        (plain(5, ring(5)), 10),
        (plain(6, ring(6), [0, 1, 0, 1, 0, 1]), 6),
        (plain(6, ring(6), [0, 1, 2, 0, 1, 2]), 2),
        (plain(6, [(0, node) for node in range(1, 6)]), 120),
        (plain(6, list(itertools.product(range(3), range(3, 6)))), 72),
        (plain(6, [(0, 1), (1, 2), (2, 3), (1, 4), (4, 5)]), 2),
        (plain(10, PETERSEN), 120),
        (plain(16, ROOK), 1152),
    ],
)
def test_known_numbers_of_automorphisms(graph: Graph, count: int) -> None:
    assert n_automorphisms(graph) == count


def test_directions_types_and_attributes_break_symmetries() -> None:
    arcs = Graphs(node_types=1, max_nodes=4, directed=True)
    texts = ["0 0 0 0 | 0>1 1>2 2>3 3>0", "0 0 0 0 | 0>1 1>2 2>3 0>3", "0 0 | 0>1", "0 0 | 0>1 1>0"]
    assert arcs.log_symmetry(arcs.encode(texts).states).exp().round().tolist() == [4, 1, 1, 2]
    rich = Graphs(node_types=1, max_nodes=4, edge_types=2, node_attributes=(1,), edge_attributes=(1,))
    square = "0,{} 0,0 0,0 0,0 | 0-1:{},0 1-2:0,0 2-3:0,0 0-3:0,{}"
    texts = [square.format(*values) for values in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 1, 1), (1, 0, 1))]
    assert rich.log_symmetry(rich.encode(texts).states).exp().round().tolist() == [8, 2, 2, 1, 1]


def test_without_the_correction_symmetry_is_not_counted() -> None:
    env = Graphs(node_types=1, max_nodes=4, correct_symmetry=False)
    assert env.log_symmetry(env.encode(["0 0 | 0-1"]).states).tolist() == [0.0]


def test_where_the_key_ends() -> None:
    # Both are strongly regular with parameters (16, 6, 2, 2); the documentation says that the key fails here.
    rook, shrikhande = plain(16, ROOK), plain(16, SHRIKHANDE)
    assert torch.equal(canonical.key(rook), canonical.key(shrikhande))
    assert n_automorphisms(rook) != n_automorphisms(shrikhande) == 192


RULES: list[dict[str, Any]] = [
    {"node_types": 1, "max_nodes": 5},
    {"node_types": 2, "max_nodes": 4, "edge_types": 2, "connected": False},
    {"node_types": 1, "max_nodes": 4, "node_attributes": (1,), "edge_attributes": (1,)},
    {"node_types": 1, "max_nodes": 4, "directed": True},
    {"node_types": 1, "max_nodes": 3, "directed": True, "edge_types": 2, "edge_attributes": (1,)},
]


def random_states(env: Graphs, n: int) -> Graph:
    made = rollout(env, UniformPolicy(env), Conditions().fixed(n, 1.0), torch.Generator().manual_seed(0))
    return made.final_states


def contents(graphs: Graph, order: Sequence[int]) -> list[tuple[int, ...]]:
    """Everything that a numbering says of each graph."""
    moved = graphs.rearranged(torch.tensor(order).expand(len(graphs), -1))
    table = torch.cat([tensor[..., None].flatten(1) for tensor in moved.tensors()], dim=1)
    return [tuple(row) for row in table.tolist()]


@pytest.mark.parametrize("rules", RULES, ids=str)
def test_against_all_permutations(rules: dict[str, Any]) -> None:
    env = Graphs(**rules)
    states = random_states(env, 300)
    size = rules["max_nodes"]
    every = [contents(states, order) for order in itertools.permutations(range(size))]
    normal = list(map(max, zip(*every, strict=True)))
    identity = contents(states, range(size))
    n_empty = (size - states.n_nodes).tolist()
    fixed = [
        sum(same)
        for same in zip(*([a == b for a, b in zip(one, identity, strict=True)] for one in every), strict=True)
    ]
    expected = [count // math.factorial(empty) for count, empty in zip(fixed, n_empty, strict=True)]
    assert env.log_symmetry(states).exp().round().long().tolist() == expected
    assert max(expected) > 1

    keys, texts = env.key(states).tolist(), env.decode(states)
    assert len(set(normal)) > 10
    assert len(set(normal)) == len(set(keys)) == len(set(texts))
    assert len(set(zip(normal, keys, texts, strict=True))) == len(set(normal))


def shuffled(states: Graph) -> tuple[Graph, Tensor]:
    torch.manual_seed(1)
    order = (torch.rand(states.node.shape) + 10.0 * ~states.exists).argsort(dim=1)
    return states.rearranged(order), order


@pytest.mark.parametrize(
    "rules",
    [
        {"node_types": 1, "max_nodes": 12, "min_nodes": 4},
        {"node_types": 1, "max_nodes": 10, "directed": True, "max_degree": 3},
    ],
)
def test_numbering_and_other_rows_do_not_matter(rules: dict[str, Any]) -> None:
    env = Graphs(**rules)
    states = random_states(env, 200)
    moved, _ = shuffled(states)
    assert torch.equal(env.key(states), env.key(moved))
    assert torch.allclose(env.log_symmetry(states), env.log_symmetry(moved))
    texts = env.decode(states)
    assert env.decode(moved) == texts
    encoded = env.encode(texts)
    assert torch.equal(env.key(encoded.states), env.key(states))
    assert env.decode(encoded.states) == texts
    assert len(set(texts)) > 60
    for row in (0, 77, 199):
        alone = states[row : row + 1]
        assert env.key(alone).tolist() == env.key(states)[row : row + 1].tolist()
        assert env.decode(alone) == [texts[row]]


def test_unused_room_does_not_matter() -> None:
    small, large = Graphs(node_types=2, max_nodes=4), Graphs(node_types=2, max_nodes=30)
    texts = ["0 1 1 | 0-1 1-2", "0 0 1 1 | 0-1 1-2 2-3 0-3"]
    assert torch.equal(small.key(small.encode(texts).states), large.key(large.encode(texts).states))
    assert small.decode(small.encode(texts).states) == large.decode(large.encode(texts).states)


def test_empty_and_no_graphs() -> None:
    env = Graphs(node_types=2, max_nodes=3)
    empty = env.initial(2)
    assert env.decode(empty) == ["", ""]
    assert env.log_symmetry(empty).tolist() == [0.0, 0.0]
    assert env.key(empty)[0] != env.key(env.encode(["0"]).states)[0]
    nothing = empty[:0]
    assert env.decode(nothing) == []
    assert len(env.key(nothing)) == len(env.log_symmetry(nothing)) == 0


def test_finished_graphs_have_another_key() -> None:
    env = Graphs(node_types=2, max_nodes=3)
    done = env.encode(["0 1 | 0-1"]).states
    assert env.key(done) != env.key(dataclasses.replace(done, is_done=~done.is_done))
