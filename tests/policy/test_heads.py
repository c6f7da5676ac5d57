"""The head of each kind of element, by itself and in a policy of graphs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from fluvial.core.enumeration import enumerate_states
from fluvial.core.environment import ActionFamily
from fluvial.core.observation import GraphObservation
from fluvial.core.policy import PolicyOutput
from fluvial.core.types import Condition
from fluvial.envs.graphs.environment import Graphs
from fluvial.envs.graphs.state import Graph
from fluvial.nets.graph_transformer import GraphFeatures, GraphTransformer
from fluvial.policy.graph import GraphPolicy
from fluvial.policy.heads import HEADS
from fluvial.policy.uniform import UniformPolicy
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import rollout

WIDTH = 8
RULES: list[dict[str, Any]] = [
    {"node_types": 2, "max_nodes": 6},
    {"node_types": 2, "max_nodes": 5, "edge_types": 2, "node_attributes": (2,), "edge_attributes": (1, 2)},
    {"node_types": 1, "max_nodes": 5, "directed": True, "edge_types": 2, "edge_attributes": (2,)},
    {"node_types": 2, "max_nodes": 5, "connected": False},
    {"node_types": 2, "max_nodes": 5, "connected": False, "directed": True},
]


def visited(env: Graphs, n: int) -> Graph:
    made = rollout(env, UniformPolicy(env), Conditions().fixed(n, 1.0), torch.Generator().manual_seed(0))
    states = made.states[:-1].flatten()[made.mask.flatten()]
    return states[states.n_nodes > 1]


def renumbering(states: Graph) -> Tensor:
    """Old number of each new node, nodes first."""
    torch.manual_seed(1)
    return (torch.rand(states.node.shape) + 10.0 * ~states.exists).argsort(dim=1)


def pair_numbers(size: int) -> Tensor:
    numbers = torch.zeros(size, size, dtype=torch.int64)
    first, second = torch.triu_indices(size, size, offset=1)
    numbers[first, second] = numbers[second, first] = torch.arange(len(first))
    return numbers


def moved_columns(families: tuple[ActionFamily, ...], order: Tensor) -> Tensor:
    """Where each action of the renumbered graphs was before, int64 [B, A]."""
    n_rows, size = order.shape
    first, second = torch.triu_indices(size, size, offset=1)
    everything = torch.arange(size * size)
    elements = {
        "graph": torch.zeros(n_rows, 1, dtype=torch.int64),
        "node": order,
        "pair": pair_numbers(size)[order[:, first], order[:, second]],
        "arc": order[:, everything // size] * size + order[:, everything % size],
    }
    columns, start = [], 0
    for family in families:
        place = elements[family.per]
        columns.append((start + place[:, :, None] * family.size + torch.arange(family.size)).flatten(1))
        start += place.shape[1] * family.size
    return torch.cat(columns, dim=1)


def random_policy(env: Graphs) -> GraphPolicy:
    torch.manual_seed(0)
    policy = GraphPolicy(env, GraphTransformer(env.sizes, 0, 16, 2, 2), learn_backward=True)
    for parameter in policy.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return policy.double().eval()


def asked(policy: GraphPolicy, states: Graph) -> PolicyOutput:
    condition = Conditions().fixed(len(states), 1.0)
    with torch.no_grad():
        output: PolicyOutput = policy(states, Condition(*(part.double() for part in condition.tensors())))
    return output


@pytest.mark.parametrize("rules", RULES, ids=str)
def test_numbering_of_nodes_does_not_matter(rules: dict[str, Any]) -> None:
    env = Graphs(**rules)
    policy, states = random_policy(env), visited(env, 40)
    order = renumbering(states)
    mine, theirs = asked(policy, states), asked(policy, states.rearranged(order))
    for families, before, after in (
        (env.families, mine.forward, theirs.forward),
        (env.back_families, mine.backward, theirs.backward),
    ):
        p = before.log_probs.exp()
        assert torch.allclose(p.sum(dim=1), torch.ones(len(p), dtype=p.dtype))
        assert torch.equal(p > 0, before.mask)
        assert torch.allclose(after.log_probs.exp(), p.gather(1, moved_columns(families, order)), atol=1e-12)
    assert torch.allclose(theirs.log_flow, mine.log_flow, atol=1e-12)


@pytest.mark.parametrize("rules", RULES, ids=str)
def test_a_head_gives_one_logit_for_each_action(rules: dict[str, Any]) -> None:
    env = Graphs(**rules)
    policy, states = random_policy(env), env.initial(3)
    output = asked(policy, states)
    assert output.forward.mask.shape == output.forward.logits.shape == (3, env.n_actions)
    assert output.backward.mask.shape == output.backward.logits.shape == (3, env.n_back_actions)
    assert bool(output.forward.logits.isfinite().all())


def test_gradient_reaches_every_weight_of_every_head() -> None:
    env = Graphs(
        node_types=2, max_nodes=4, edge_types=2, node_attributes=(2,), edge_attributes=(2, 1), directed=True
    )
    policy, states = random_policy(env), visited(env, 60)
    states = Graph.cat([env.initial(1), states])
    condition = Condition(*(part.double() for part in Conditions().fixed(len(states), 1.0).tensors()))
    output = policy(states, condition)
    total = output.log_flow.sum()
    for distribution in (output.forward, output.backward):
        total = total + distribution.log_probs.masked_fill(~distribution.mask, 0.0).square().sum()
    total.backward()
    silent = [
        name
        for name, parameter in policy.named_parameters()
        if parameter.grad is None or not bool((parameter.grad != 0).any())
    ]
    # Undoing the stop is never one of several choices.
    assert [name for name in silent if not name.startswith("backward_heads.heads.0.")] == []


def features_of(observation: GraphObservation, distinct: bool) -> GraphFeatures:
    torch.manual_seed(2)
    n_rows, n_nodes = observation.node.shape[:2]
    node = torch.randn(n_rows, n_nodes if distinct else 1, WIDTH).expand(-1, n_nodes, -1)
    return GraphFeatures(node, torch.randn(n_rows, 2 * WIDTH))


@pytest.mark.parametrize("directed", [False, True])
def test_pairs_of_equivalent_nodes_are_told_apart_by_how_they_lie(directed: bool) -> None:
    env = Graphs(node_types=1, max_nodes=6, directed=directed)
    link = ">" if directed else "-"
    ring = " ".join(f"{node}{link}{(node + 1) % 6}" for node in range(6))
    observation = env.observe(env.encode([f"0 0 0 0 0 0 | {ring}"]).states)
    torch.manual_seed(0)
    per = "arc" if directed else "pair"
    head = HEADS[per](WIDTH, ActionFamily("edge", per, 1), env.sizes)
    logits = head(features_of(observation, distinct=False), observation)[0].tolist()
    at = (lambda a, b: logits[a * 6 + b]) if directed else (lambda a, b: logits[int(pair_numbers(6)[a, b])])
    assert at(0, 2) == pytest.approx(at(1, 3))
    assert at(0, 3) == pytest.approx(at(1, 4))
    assert abs(at(0, 2) - at(0, 3)) > 1e-3
    if directed:
        assert abs(at(0, 1) - at(1, 0)) > 1e-3


def test_rows_of_pairs_are_those_of_the_upper_triangle() -> None:
    env = Graphs(node_types=1, max_nodes=4)
    observation = env.observe(visited(env, 10))
    features = features_of(observation, distinct=True)
    torch.manual_seed(0)
    head = HEADS["pair"](WIDTH, ActionFamily("edge", "pair", 3), env.sizes)
    logits = head(features, observation).unflatten(1, (6, 3))
    swapped = torch.tensor([0, 2, 1, 3])
    exchanged = GraphObservation(
        observation.node[:, swapped],
        observation.graph,
        observation.pair[:, [0, 2, 1, 3, 4]][:, :, [0, 2, 1, 3, 4]],
        observation.focus,
        observation.candidate,
        observation.bond,
        observation.relation,
    )
    again = head(GraphFeatures(features.node[:, swapped], features.graph), exchanged).unflatten(1, (6, 3))
    # 01 02 03 12 13 23 with 1 and 2 exchanged: 02 01 03 12 23 13
    assert torch.allclose(again, logits[:, [1, 0, 2, 3, 5, 4]], atol=1e-6)


def test_the_network_tells_all_small_graphs_apart() -> None:
    env = Graphs(node_types=2, max_nodes=5)
    graph = enumerate_states(env)
    states = graph.states[graph.is_terminal]
    flow = asked(random_policy(env), states).log_flow.sort().values
    assert len(flow) == 419
    assert float((flow[1:] - flow[:-1]).min()) > 1e-9
