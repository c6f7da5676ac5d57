"""Where a learned P_B ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from fluvial.algorithms.backward import BackwardRule
from fluvial.algorithms.registry import BACKWARD_RULES, Ingredients
from fluvial.chem.vocabulary import Fragment, Vocabulary
from fluvial.core.enumeration import enumerate_states, first_occurrences
from fluvial.core.types import Condition, Trajectories
from fluvial.envs.fragments.environment import Fragments
from fluvial.envs.graphs.environment import Graphs
from fluvial.envs.hypergrid import Hypergrid
from fluvial.losses.backward import N_LOSSES
from fluvial.metrics.exact import edge_log_pf, exact_log_probability
from fluvial.metrics.paths import PathCounts, maxent_log_probs
from fluvial.nets.graph_transformer import GraphTransformer
from fluvial.policy.graph import GraphPolicy
from fluvial.policy.module import PolicyModule
from fluvial.policy.tabular import TabularPolicy
from fluvial.policy.uniform import UniformPolicy
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import rollout
from fluvial.sample.score import evaluate


def at_beta_1(n: int) -> Condition:
    return Conditions().fixed(n, 1.0)


def table(env: Any, count_paths: bool) -> TabularPolicy[Any]:
    return TabularPolicy(env, enumerate_states(env), count_paths=count_paths)


def all_ways(env: Any, n: int) -> Trajectories[Any]:
    """The distinct trajectories, up to numbering, among `n` uniform ones."""
    drawn = rollout(env, UniformPolicy(env), at_beta_1(n), torch.Generator().manual_seed(0))
    visited = env.key(drawn.states.flatten()).reshape(-1, n).T
    first: dict[tuple[int, ...], int] = {}
    for row, way in enumerate(visited.tolist()):
        first.setdefault(tuple(way), row)
    return drawn.select(torch.tensor(list(first.values())))


def train(
    policy: PolicyModule,
    rule: BackwardRule,
    drawn: Trajectories[Any],
    weight: Tensor,
    steps: int,
    lr: float = 0.1,
) -> None:
    """Steps on the loss of P_B alone, weighed by trajectory."""
    optimizer = torch.optim.Adam(policy.parameters(), lr=lr)
    generator = torch.Generator().manual_seed(2)
    for _ in range(steps):
        group = torch.zeros(len(weight), dtype=torch.int64)
        loss = rule(evaluate(policy, drawn), policy, group, generator).loss
        assert loss is not None
        optimizer.zero_grad()
        (loss * weight).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def backward_of(policy: PolicyModule, states: Any) -> Tensor:
    with torch.no_grad():
        probability: Tensor = policy(states, at_beta_1(len(states))).backward.log_probs.exp()
    return probability


def largest_distance(p: Tensor, q: Tensor) -> float:
    """Largest total variation of any row."""
    return float(0.5 * (p - q).abs().sum(dim=1).max())


def with_a_choice(env: Any, states: Any) -> Any:
    return states[env.back_mask(states).sum(dim=1) > 1]


def first_undoes_coordinate_0(drawn: Trajectories[Any]) -> Tensor:
    """1 where the first transition undone before the stop is one of coordinate 0, else 0."""
    last = (drawn.n_steps - 2).clamp_min(0)
    return (drawn.back_actions.gather(0, last[None])[0] == 1).float()


def test_reinforce_finds_the_way_that_is_rewarded() -> None:
    torch.manual_seed(0)
    env = Hypergrid(2, 3)
    policy = table(env, count_paths=False)
    states = with_a_choice(env, policy_states(env))
    rule = BACKWARD_RULES["reinforce"](Ingredients(env, path_reward=first_undoes_coordinate_0))
    drawn = rollout(env, UniformPolicy(env), at_beta_1(128), torch.Generator().manual_seed(3))
    assert torch.allclose(backward_of(policy, states)[:, 1], torch.tensor(0.5))
    train(policy, rule, drawn, torch.full((128,), 1 / 128), steps=60)
    assert len(states) == 4
    assert backward_of(policy, states)[:, 1].min() > 0.9


def test_reinforce_with_entropy_alone_makes_all_ways_alike() -> None:
    env = Hypergrid(2, 3)
    policy, log_n = table(env, count_paths=False), PathCounts(env, enumerate_states(env))
    states = with_a_choice(env, policy_states(env))
    expected = maxent_log_probs(env, states, log_n).exp()
    rule = BACKWARD_RULES["reinforce"](Ingredients(env), entropy_weight=1.0)
    drawn = rollout(env, UniformPolicy(env), at_beta_1(128), torch.Generator().manual_seed(3))
    assert largest_distance(backward_of(policy, states), expected) > 0.15
    train(policy, rule, drawn, torch.full((128,), 1 / 128), steps=100, lr=0.03)
    assert largest_distance(backward_of(policy, states), expected) < 0.03


def policy_states(env: Any) -> Any:
    """All states before the stop."""
    states = enumerate_states(env).states
    return states[~env.is_terminal(states)]


def test_trajectory_likelihood_ends_at_the_ways_that_the_forward_policy_goes() -> None:
    env = Hypergrid(2, 3)
    graph = enumerate_states(env)
    policy, forward = table(env, count_paths=False), table(env, count_paths=False)
    with torch.no_grad():
        forward.forward_logits.normal_(generator=torch.Generator().manual_seed(4))
    drawn = all_ways(env, 4096)
    assert len(drawn.origin) == 19
    with torch.no_grad():
        weight = evaluate(forward, drawn).log_pf().sum(dim=0).exp()
    assert float(weight.sum()) == pytest.approx(1.0, abs=1e-5)
    log_pf = edge_log_pf(graph, lambda states: forward(states).forward.log_probs.detach())
    passed = exact_log_probability(graph, log_pf)
    share = (passed[graph.source] + log_pf - passed[graph.target]).exp()
    expected = torch.zeros(len(graph), env.n_back_actions, dtype=torch.float64)
    expected[graph.target, graph.back_action] = share
    is_open = ~graph.is_terminal & ~env.is_initial(graph.states)
    assert largest_distance(backward_of(policy, graph.states[is_open]), expected[is_open]) > 0.1
    train(policy, BACKWARD_RULES["tlm"](Ingredients(env)), drawn, weight, steps=150)
    assert largest_distance(backward_of(policy, graph.states[is_open]), expected[is_open]) < 0.02


@pytest.mark.parametrize("n_loss", N_LOSSES)
@pytest.mark.parametrize("name", ["maxent", "gsql"])
def test_learned_numbers_of_ways_make_all_ways_alike(name: str, n_loss: str) -> None:
    env = Hypergrid(2, 3)
    policy, drawn = table(env, count_paths=True), all_ways(env, 4096)
    counts = PathCounts(env, enumerate_states(env))
    states = with_a_choice(env, policy_states(env))
    expected = maxent_log_probs(env, states, counts).exp()
    assert largest_distance(backward_of(policy, states), expected) > 0.1
    rule = BACKWARD_RULES[name](Ingredients(env), n_loss=n_loss)
    train(policy, rule, drawn, torch.full((19,), 1 / 19), steps=150)
    assert largest_distance(backward_of(policy, states), expected) < 0.02
    assert policy.log_n is not None
    rows = policy.rows(states)
    assert (policy.log_n[rows] - counts(states)).abs().max() < 0.05


UNEVEN: dict[str, Callable[[], Any]] = {
    "graphs": lambda: Graphs(node_types=1, max_nodes=4),
    "fragments": lambda: Fragments(Vocabulary("ring", (Fragment("c1ccccc1", (0, 2, 4)),)), 5),
}
"""With states whose parents have different numbers of ways; smaller ones have none."""


@pytest.mark.parametrize("name", UNEVEN)
def test_a_network_that_sees_no_numbering_makes_all_ways_alike(name: str) -> None:
    torch.manual_seed(0)
    env = UNEVEN[name]()
    drawn = all_ways(env, 512)
    visited = drawn.states[:-1].flatten()[drawn.mask.flatten()]
    states = with_a_choice(env, visited[first_occurrences(env.key(visited))])
    counts = env.log_n if name == "fragments" else PathCounts(env, enumerate_states(env))
    expected = maxent_log_probs(env, states, counts).exp()
    legal = env.back_mask(states)
    assert largest_distance(legal / legal.sum(dim=1, keepdim=True), expected) > 0.09
    policy = GraphPolicy(env, GraphTransformer(env.sizes, 0, 16, 2, 2), learn_backward=True, count_paths=True)
    n_ways = len(drawn.origin)
    rule = BACKWARD_RULES["maxent"](Ingredients(env))
    train(policy, rule, drawn, torch.full((n_ways,), 1 / n_ways), steps=120, lr=0.01)
    assert largest_distance(backward_of(policy, states), expected) < 0.02
