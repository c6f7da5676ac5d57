from __future__ import annotations

import itertools
import math

import pytest
import torch

from fluvial.core.enumeration import enumerate_states
from fluvial.envs.graphs.environment import Graphs
from fluvial.envs.graphs.rewards import GRAPH_REWARDS

ENV = Graphs(node_types=2, max_nodes=5)
SQUARE = " ".join(f"{first}-{second}" for first, second in itertools.combinations(range(4), 2))


@pytest.mark.parametrize(
    ("name", "text", "log_reward"),
    [
        ("constant", "0 1 | 0-1", 0.0),
        ("cliques", "0 1 | 0-1", -4.0),
        ("cliques", "1 1 1 | 0-1 1-2 0-2", -2.0),
        ("cliques", "0 1 1 | 0-1 1-2 0-2", -4.0),
        ("cliques", f"0 0 0 0 | {SQUARE}", -0.25),
        ("even_neighbours", "0", 0.0),
        ("even_neighbours", "0 1 | 0-1", -4.0),
        ("even_neighbours", "0 0 1 | 0-1 1-2", -4.0 * 2 / 3),
        ("even_neighbours", "1 0 1 | 0-1 1-2", -4.0 * 2 / 3),
        ("even_neighbours", "0 1 0 1 | 0-1 1-2 2-3 0-3", 0.0),
        ("counts", "0", -3.0),
        ("counts", "1", -1.0),
        ("counts", "0 1 | 0-1", -1.0),
        ("counts", "1 0 1 1 | 0-1 1-2 2-3", 0.0),
    ],
)
def test_rewards_by_hand(name: str, text: str, log_reward: float) -> None:
    states = ENV.encode([text]).states
    assert float(GRAPH_REWARDS[name](states).log()) == pytest.approx(log_reward)


@pytest.mark.parametrize("name", sorted(GRAPH_REWARDS))
def test_rewards_are_in_range_and_see_the_graph_only(name: str) -> None:
    graph = enumerate_states(Graphs(node_types=2, max_nodes=4))
    states = graph.states[graph.is_terminal]
    rewards = GRAPH_REWARDS[name](states)
    assert rewards.dtype == torch.float64
    assert rewards.shape == (65,)
    assert float(rewards.min()) >= math.exp(-4.0) - 1e-12
    assert float(rewards.max()) <= 1.0
    backwards = torch.where(states.exists, states.n_nodes[:, None] - 1 - torch.arange(4), torch.arange(4))
    assert torch.allclose(GRAPH_REWARDS[name](states.rearranged(backwards)), rewards)
