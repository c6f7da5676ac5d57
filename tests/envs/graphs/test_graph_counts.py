"""The environment builds all graphs within its rules, each once, and counts their symmetries."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch

from fluvial.core.enumeration import enumerate_states
from fluvial.core.environment import Found
from fluvial.envs.graphs.environment import Graphs
from fluvial.metrics.exact import (
    backward_weights,
    exact_flows,
    exact_log_probability,
    total_variation,
    uniform_log_pb,
)

Labelled = tuple[tuple[int, ...], frozenset[tuple[int, int]]]
"""Types of the nodes and the edges of a graph, written out without any code of the library."""


@pytest.mark.parametrize(("n_nodes", "count"), [(2, 5), (3, 15), (4, 65), (5, 419)])
def test_connected_graphs_of_two_colours(n_nodes: int, count: int) -> None:
    env = Graphs(node_types=2, max_nodes=n_nodes)
    graph = enumerate_states(env)
    assert len(graph) == 2 * count + 1
    assert len(set(env.decode(graph.states[graph.is_terminal]))) == count


@pytest.mark.parametrize(("n_nodes", "count"), [(6, 4302), pytest.param(7, 72296, marks=pytest.mark.long)])
def test_many_connected_graphs_of_two_colours(n_nodes: int, count: int) -> None:
    graph = enumerate_states(Graphs(node_types=2, max_nodes=n_nodes))
    assert int(graph.is_terminal.sum()) == count


def test_symmetry_makes_every_weight_one() -> None:
    # Of the 419 graphs, 309 have a symmetry, so that no correction at all would fail.
    env = Graphs(node_types=2, max_nodes=5)
    graph = enumerate_states(env)
    weights = backward_weights(graph, uniform_log_pb(env, graph))[graph.is_terminal]
    automorphisms = env.log_symmetry(graph.states[graph.is_terminal]).exp()
    assert len(weights) == 419
    assert (weights * automorphisms - 1.0).abs().max() < 1e-9
    assert int((automorphisms > 1.5).sum()) == 309


def labelled_graphs(n_types: int, n_nodes: int, directed: bool) -> list[Labelled]:
    pairs = itertools.permutations(range(n_nodes), 2) if directed else None
    pairs = list(pairs or itertools.combinations(range(n_nodes), 2))
    return [
        (types, frozenset(edges))
        for types in itertools.product(range(n_types), repeat=n_nodes)
        for size in range(len(pairs) + 1)
        for edges in itertools.combinations(pairs, size)
    ]


def is_allowed(graph: Labelled, rules: dict[str, Any]) -> bool:
    types, edges = graph
    n_nodes = len(types)
    degree = [sum(node in edge for edge in edges) for node in range(n_nodes)]
    parts = [{node} for node in range(n_nodes)]
    has_cycle = False
    for first, second in edges:
        one = next(part for part in parts if first in part)
        other = next(part for part in parts if second in part)
        has_cycle |= one is other
        if one is not other:
            parts.remove(other)
            one |= other
    return (
        n_nodes >= rules.get("min_nodes", 1)
        and len(edges) <= rules.get("max_edges", math.inf)
        and max(degree) <= rules.get("max_degree", math.inf)
        and (len(parts) == 1 or not rules.get("connected", True))
        and (not has_cycle or rules.get("allow_cycles", True))
    )


def lowest_numbering(graph: Labelled, directed: bool) -> tuple[Any, ...]:
    types, edges = graph

    def ends(first: int, second: int) -> tuple[int, int]:
        return (first, second) if directed or first < second else (second, first)

    return min(
        (
            tuple(types[order.index(place)] for place in range(len(types))),
            tuple(sorted(ends(order[first], order[second]) for first, second in edges)),
        )
        for order in itertools.permutations(range(len(types)))
    )


@pytest.mark.parametrize(
    "rules",
    [
        {"node_types": 2, "max_nodes": 3},
        {"node_types": 2, "max_nodes": 3, "connected": False},
        {"node_types": 1, "max_nodes": 4, "allow_cycles": False},
        {"node_types": 2, "max_nodes": 3, "allow_cycles": False, "connected": False},
        {"node_types": 1, "max_nodes": 4, "max_degree": 2, "min_nodes": 3},
        {"node_types": 1, "max_nodes": 4, "max_edges": 3, "min_nodes": 4},
        {"node_types": 1, "max_nodes": 4, "max_edges": 4, "max_degree": 2, "min_nodes": 2},
        {"node_types": 1, "max_nodes": 4, "max_edges": 2, "max_degree": 1, "connected": False},
        {"node_types": 2, "max_nodes": 3, "directed": True},
        {"node_types": 1, "max_nodes": 3, "directed": True, "allow_cycles": False, "connected": False},
        {"node_types": 1, "max_nodes": 3, "directed": True, "max_degree": 3, "min_nodes": 3},
    ],
    ids=str,
)
def test_exactly_the_graphs_within_the_rules_are_built(rules: dict[str, Any]) -> None:
    env, directed = Graphs(**rules), rules.get("directed", False)
    link = ">" if directed else "-"
    every = [
        graph
        for size in range(1, rules["max_nodes"] + 1)
        for graph in labelled_graphs(rules["node_types"], size, directed)
    ]
    texts = [
        f"{' '.join(map(str, types))} | {' '.join(f'{first}{link}{second}' for first, second in edges)}"
        for types, edges in every
    ]
    allowed = [is_allowed(graph, rules) for graph in every]
    encoded = env.encode(texts)
    assert encoded.found.tolist() == [Found.ONE if ok else Found.NONE for ok in allowed]

    kept = [graph for graph, ok in zip(every, allowed, strict=True) if ok]
    groups: dict[Any, set[str]] = {}
    found = encoded.found == Found.ONE
    for graph, text in zip(kept, env.decode(encoded.states[found]), strict=True):
        groups.setdefault(lowest_numbering(graph, directed), set()).add(text)
    assert all(len(group) == 1 for group in groups.values())
    built = enumerate_states(env)
    made = env.decode(built.states[built.is_terminal])
    assert len(made) == len(set(made)) == len(groups)
    assert set(made) == {text for group in groups.values() for text in group}


@pytest.mark.parametrize(("correct", "distance", "total"), [(True, 0.0, 65.0), (False, 0.215, None)])
def test_exact_flows_of_reward_one(correct: bool, distance: float, total: float | None) -> None:
    env = Graphs(node_types=2, max_nodes=4, correct_symmetry=correct)
    graph = enumerate_states(env)
    flows = exact_flows(graph, env.log_symmetry(graph.states), uniform_log_pb(env, graph))
    p = exact_log_probability(graph, flows.log_pf)[graph.is_terminal].exp()
    assert p.sum().item() == pytest.approx(1.0)
    assert total_variation(p, torch.full((65,), 1 / 65)) == pytest.approx(distance, abs=5e-4)
    automorphisms = Graphs(node_types=2, max_nodes=4).log_symmetry(graph.states[graph.is_terminal]).exp()
    expected = float((1.0 / automorphisms).sum()) if total is None else total
    assert math.exp(flows.log_z) == pytest.approx(expected)
