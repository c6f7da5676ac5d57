from __future__ import annotations

import itertools

import pytest
import torch

from fluvial.envs.graphs.bridges import is_bridge
from fluvial.envs.graphs.environment import Graphs
from fluvial.policy.uniform import UniformPolicy
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import rollout


def is_connected(n_nodes: int, edges: list[tuple[int, int]]) -> bool:
    seen, todo = {0}, [0]
    while todo:
        node = todo.pop()
        near = {b for a, b in edges if a == node} | {a for a, b in edges if b == node}
        todo += near - seen
        seen |= near
    return len(seen) == n_nodes


@pytest.mark.parametrize("directed", [False, True])
def test_bridges_are_the_edges_whose_removal_parts_the_graph(directed: bool) -> None:
    env = Graphs(node_types=1, max_nodes=10, directed=directed)
    made = rollout(env, UniformPolicy(env), Conditions().fixed(150, 1.0), torch.Generator().manual_seed(0))
    graphs = made.final_states
    bridges = is_bridge(graphs, directed)
    seen = set()
    for row in range(len(graphs)):
        size = int(graphs.n_nodes[row])
        edges = [(a, b) for a, b in graphs.edge[row].nonzero().tolist() if directed or a < b]
        for number, (a, b) in enumerate(edges):
            expected = not is_connected(size, edges[:number] + edges[number + 1 :])
            assert bool(bridges[row, a, b]) == expected
            seen.add(expected)
    assert seen == {True, False}
    assert not bool((bridges & (graphs.edge == 0)).any())


@pytest.mark.parametrize("size", [3, 12, 40])
def test_long_rings_have_no_bridge_and_paths_only_bridges(size: int) -> None:
    env = Graphs(node_types=1, max_nodes=size)
    path = [f"{node}-{node + 1}" for node in range(size - 1)]
    nodes = " ".join("0" * size)
    states = env.encode([f"{nodes} | {' '.join(path)}", f"{nodes} | {' '.join(path)} 0-{size - 1}"]).states
    assert is_bridge(states, False).sum(dim=(1, 2)).tolist() == [2 * size - 2, 0]


def test_a_graph_that_must_grow_keeps_what_it_needs() -> None:
    env = Graphs(node_types=1, max_nodes=5, min_nodes=5, max_degree=2, max_edges=5)
    made = rollout(env, UniformPolicy(env), Conditions().fixed(300, 1.0), torch.Generator().manual_seed(0))
    assert made.final_states.n_nodes.tolist() == [5] * 300
    assert set(made.final_states.edge.bool().sum(dim=(1, 2)).tolist()) == {8, 10}
    spent = Graphs(node_types=1, max_nodes=5, min_nodes=5, max_edges=4)
    triples = spent.step(spent.step(spent.initial(1), torch.tensor([1])), torch.tensor([2]))
    triples = spent.step(triples, torch.tensor([3]))
    assert triples.n_nodes.tolist() == [3]
    assert not bool(spent.mask(triples)[:, spent.start["edge"] :].any())


def test_a_forest_gets_no_cycle_and_can_grow_together() -> None:
    env = Graphs(node_types=1, max_nodes=4, connected=False, allow_cycles=False)
    states = env.initial(1)
    pairs = list(itertools.combinations(range(4), 2))
    for action in (1, 1, 1, 1):
        states = env.step(states, torch.tensor([action]))
    for ends, legal in (((0, 1), pairs[1:]), ((2, 3), [(0, 2), (0, 3), (1, 2), (1, 3)]), ((1, 3), [])):
        states = env.step(states, torch.tensor([env.start["edge"] + pairs.index(ends)]))
        allowed = env.mask(states)[0, env.start["edge"] :]
        assert [pair for pair, ok in zip(pairs, allowed.tolist(), strict=True) if ok] == legal
