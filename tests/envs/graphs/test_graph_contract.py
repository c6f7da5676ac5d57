"""The whole contract of environments, over the choices that the rules offer."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from fluvial.core.errors import ConfigError
from fluvial.envs.graphs.environment import Graphs
from fluvial.testing.check_env import check_env

EXHAUSTIVE: list[dict[str, Any]] = [
    {"node_types": 2, "max_nodes": 3},
    {"node_types": 2, "max_nodes": 1},
    {"node_types": 1, "max_nodes": 4, "edge_types": 2},
    {"node_types": 1, "max_nodes": 5, "min_nodes": 4},
    {"node_types": 2, "max_nodes": 2, "node_attributes": (2, 1), "edge_attributes": (1,)},
    {"node_types": 1, "max_nodes": 3, "edge_attributes": (1, 2)},
    {"node_types": 1, "max_nodes": 3, "node_attributes": (1,), "edge_attributes": (1, 1)},
    {"node_types": 2, "max_nodes": 3, "directed": True},
    {"node_types": 1, "max_nodes": 3, "directed": True, "edge_types": 2, "node_attributes": (1,)},
    {"node_types": 2, "max_nodes": 3, "connected": False, "edge_types": 2},
    {"node_types": 1, "max_nodes": 3, "connected": False, "directed": True, "edge_attributes": (1,)},
    {"node_types": 2, "max_nodes": 4, "allow_cycles": False},
    {"node_types": 1, "max_nodes": 4, "allow_cycles": False, "directed": True},
    {"node_types": 1, "max_nodes": 5, "allow_cycles": False, "connected": False, "min_nodes": 3},
    {"node_types": 1, "max_nodes": 4, "allow_cycles": False, "connected": False, "directed": True},
    {"node_types": 1, "max_nodes": 5, "max_degree": 2, "min_nodes": 5},
    {"node_types": 2, "max_nodes": 4, "max_degree": 2, "min_nodes": 4},
    {"node_types": 1, "max_nodes": 5, "max_degree": 3, "min_nodes": 5, "max_edges": 6},
    {"node_types": 1, "max_nodes": 4, "max_degree": 3, "min_nodes": 4, "directed": True},
    {"node_types": 1, "max_nodes": 5, "max_edges": 4, "min_nodes": 5},
    {"node_types": 1, "max_nodes": 5, "max_edges": 4, "min_nodes": 3},
    {"node_types": 2, "max_nodes": 4, "max_degree": 1},
    {"node_types": 2, "max_nodes": 4, "max_degree": 0},
    {"node_types": 1, "max_nodes": 4, "max_degree": 1, "connected": False, "min_nodes": 3},
    {"node_types": 1, "max_nodes": 4, "max_edges": 0, "connected": False},
]
LARGE: list[dict[str, Any]] = [
    {"node_types": 3, "max_nodes": 7, "edge_types": 2, "node_attributes": (2,), "edge_attributes": (2,)},
    {"node_types": 3, "max_nodes": 8, "directed": True, "max_degree": 3, "min_nodes": 6, "max_edges": 9},
]


@pytest.mark.parametrize("rules", EXHAUSTIVE, ids=str)
def test_every_state_keeps_the_contract(rules: dict[str, Any]) -> None:
    report = check_env(Graphs(**rules), n_trajectories=24)
    assert report.is_exhaustive
    assert report.longest_walk <= Graphs(**rules).max_steps


@pytest.mark.parametrize("rules", LARGE, ids=str)
def test_walks_of_large_environments_keep_the_contract(rules: dict[str, Any]) -> None:
    report = check_env(Graphs(**rules), n_trajectories=24, enumerable_limit=1000)
    assert not report.is_exhaustive
    assert report.n_states > 200


@pytest.mark.parametrize(
    ("rules", "n_steps"),
    [
        ({"max_nodes": 4}, 4 + 3 + 1),  # nodes, edges besides those of a tree, stop
        ({"max_nodes": 4, "connected": False}, 4 + 6 + 1),
        ({"max_nodes": 4, "directed": True}, 4 + 9 + 1),
        ({"max_nodes": 4, "allow_cycles": False, "edge_attributes": (5,)}, 4 + 3 + 1),
        ({"max_nodes": 4, "node_attributes": (5, 5), "edge_attributes": (1,)}, 4 + 3 + 8 + 6 + 1),
        ({"max_nodes": 4, "max_edges": 2}, 3 + 1),
        ({"max_nodes": 6, "max_degree": 2}, 6 + 1 + 1),
    ],
    ids=str,
)
def test_number_of_steps(rules: dict[str, Any], n_steps: int) -> None:
    assert Graphs(node_types=2, **rules).max_steps == n_steps


def test_families_without_a_legal_action_are_left_out() -> None:
    tree = Graphs(node_types=2, max_nodes=3, allow_cycles=False)
    assert [family.name for family in tree.families] == ["stop", "node", "attach"]
    assert [family.name for family in tree.back_families] == ["unstop", "remove_node"]
    loose = Graphs(node_types=2, max_nodes=3, connected=False, edge_attributes=(4, 1))
    assert [(family.name, family.per, family.size) for family in loose.families] == [
        ("stop", "graph", 1),
        ("node", "graph", 2),
        ("edge", "pair", 1),
        ("set_edge", "pair", 5),
    ]
    assert loose.n_actions == 1 + 2 + 3 + 15
    assert loose.n_back_actions == 1 + 3 + 3 + 6
    arcs = Graphs(node_types=2, max_nodes=3, directed=True, edge_types=2)
    assert arcs.n_actions == 1 + 2 + 3 * 8 + 9 * 2
    assert arcs.n_back_actions == 1 + 3 + 9


def test_a_small_graph_by_hand() -> None:
    env = Graphs(node_types=2, max_nodes=3, node_attributes=(2,))
    # stop 0; node 1-2; attach 3-8; edges 01, 02, 12: 9-11; attributes 12-17
    states = env.initial(1)
    assert env.mask(states)[0].nonzero().flatten().tolist() == [1, 2]
    for action, legal in (
        (2, [0, 3, 4, 12, 13]),
        (3, [0, 3, 4, 5, 6, 12, 13, 14, 15]),
        (6, [0, 10, 12, 13, 14, 15, 16, 17]),
        (15, [0, 10, 12, 13, 16, 17]),
        (10, [0, 12, 13, 16, 17]),
    ):
        states = env.step(states, torch.tensor([action]))
        assert env.mask(states)[0].nonzero().flatten().tolist() == legal
    assert states.node.tolist() == [[2, 1, 2]]
    assert states.edge.tolist() == [[[0, 1, 1], [1, 0, 1], [1, 1, 0]]]
    assert states.node_attribute.tolist() == [[[0], [2], [0]]]
    # unstop 0; remove node 1-3, edge 4-6; unset 7-9
    assert env.back_mask(states)[0].nonzero().flatten().tolist() == [4, 5, 6, 8]
    path = env.step_back(states, torch.tensor([4]))
    assert env.back_mask(path)[0].nonzero().flatten().tolist() == [1, 8]
    assert env.step_back(path, torch.tensor([1])).node.tolist() == [[1, 2, 0]]
    assert env.redo(env.step_back(path, torch.tensor([1])), torch.tensor([1]), path).tolist() == [6]


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ({"node_types": 0}, "node_types is 0"),
        ({"edge_types": 0}, "edge_types is 0"),
        ({"max_nodes": 0}, "max_nodes is 0"),
        ({"min_nodes": 5}, "need 1 <= min <= max"),
        ({"max_edges": -1}, "max_edges is -1"),
        ({"max_degree": -2}, "max_degree is -2"),
        ({"node_attributes": (1, 0)}, "node_attributes is"),
        ({"edge_attributes": (0,)}, "edge_attributes is"),
        ({"min_nodes": 4, "max_edges": 2}, "no connected graph of min_nodes = 4"),
        ({"min_nodes": 3, "max_degree": 1}, "no connected graph of min_nodes = 3"),
        ({"min_nodes": 2, "max_degree": 0}, "no connected graph of min_nodes = 2"),
    ],
    ids=str,
)
def test_rules_that_cannot_be_kept(rules: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        Graphs(**{"node_types": 2, "max_nodes": 4, **rules})


def test_tensors_stay_on_the_device_of_the_states() -> None:
    # The meta device refuses to meet tensors of another one.
    for directed in (False, True):
        env = Graphs(node_types=2, max_nodes=3, node_attributes=(1,), edge_attributes=(1,), directed=directed)
        states = env.initial(3, device="meta")
        actions = torch.zeros(3, dtype=torch.int64, device="meta")
        after = env.step(states, actions)
        results = [
            *after.tensors(),
            *env.step_back(after, env.undo(states, actions, after)).tensors(),
            env.mask(states),
            env.back_mask(after),
            env.redo(states, actions, after),
        ]
        assert {tensor.device.type for tensor in results} == {"meta"}
