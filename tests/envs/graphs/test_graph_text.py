from __future__ import annotations

import pytest

from fluvial.core.environment import Found
from fluvial.envs.graphs.environment import Graphs

ONE, NONE, INVALID = int(Found.ONE), int(Found.NONE), int(Found.INVALID)


def test_text_of_a_graph_with_everything() -> None:
    env = Graphs(
        node_types=3, edge_types=2, max_nodes=4, node_attributes=(1, 2), edge_attributes=(3,), directed=True
    )
    text = "0,0,0 1,1,2 2,0,1 | 0>2:1,3 1>0:0,0 2>0:0,1"
    encoded = env.encode([text])
    assert encoded.found.tolist() == [ONE]
    states = encoded.states
    assert states.node.tolist() == [[1, 2, 3, 0]]
    assert states.node_attribute.tolist() == [[[0, 0], [1, 2], [0, 1], [0, 0]]]
    assert states.edge[0].tolist() == [[0, 0, 2, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert states.edge_attribute[0, :, :, 0].nonzero().tolist() == [[0, 2], [2, 0]]
    assert env.decode(states) == [text]  # three types: only one order of the nodes


def test_edges_without_direction_are_read_in_either_order() -> None:
    env = Graphs(node_types=2, edge_types=2, max_nodes=3)
    same = ["0 1 1 | 0-1:1 1-2:0", "1 1 0|2-1:1 0-1:0", "  1 0   1 |  2-0:0 1-2:1 "]
    encoded = env.encode(same)
    assert encoded.found.tolist() == [ONE] * 3
    assert len(set(env.decode(encoded.states))) == 1
    assert bool((encoded.states.edge == encoded.states.edge.transpose(1, 2)).all())


@pytest.mark.parametrize(
    "text",
    [
        "", "|", "a", "0 1 -", "0 1 | 0-2", "0 1 | 0-0", "0 1 | 0-1 1-0", "0 1 | 0>1", "0 1 | 0-1:1", "0,1 | 0-1",
        "0 1 | 0-1 | 0-1", "0 -1", "0 1 | 01", "0 1 | 0-1-1", "9999999999", "٠", "0 1 | 0-1:", "0 , 1",
    ],
)  # fmt: skip
def test_texts_that_are_no_graphs(text: str) -> None:
    env = Graphs(node_types=2, max_nodes=3)
    encoded = env.encode(["0", text])
    assert encoded.found.tolist() == [ONE, INVALID]
    assert env.is_initial(encoded.states).tolist() == [False, True]
    assert env.is_terminal(encoded.states).tolist() == [True, False]


@pytest.mark.parametrize(
    "text",
    [
        "0", "2 0 | 0-1", "0 0 0 0 0 | 0-1 1-2 2-3 3-4", "0 0 0 | 0-1", "0 0 0 0 | 0-1 0-2 0-3",
        "0 0 0 0 | 0-1 1-2 2-3 3-0",
    ],
)  # fmt: skip
def test_graphs_that_break_a_rule(text: str) -> None:
    # Too small, unknown type, too large, in two parts, too many edges at a node, too many edges.
    env = Graphs(node_types=2, max_nodes=4, min_nodes=2, max_degree=2, max_edges=3)
    encoded = env.encode([text, "0 0 0 0 | 0-1 1-2 2-3"])
    assert encoded.found.tolist() == [NONE, ONE]
    assert env.is_initial(encoded.states).tolist() == [True, False]


def test_values_out_of_range_break_a_rule() -> None:
    env = Graphs(node_types=1, edge_types=2, max_nodes=2, node_attributes=(2,), edge_attributes=(1,))
    texts = ["0,2 0,0 | 0-1:1,1", "0,3 0,0 | 0-1:1,1", "0,2 0,0 | 0-1:2,1", "0,2 0,0 | 0-1:1,2"]
    assert env.encode(texts).found.tolist() == [ONE, NONE, NONE, NONE]


def test_opposite_arcs_are_a_cycle() -> None:
    env = Graphs(node_types=1, max_nodes=2, directed=True, allow_cycles=False)
    assert env.encode(["0 0 | 0>1", "0 0 | 0>1 1>0"]).found.tolist() == [ONE, NONE]
