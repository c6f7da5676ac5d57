"""Exact flows and distributions against sums by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from fluvial.core.categorical import MaskedCategorical
from fluvial.core.enumeration import StateGraph, enumerate_states, labelled_identity
from fluvial.envs.hypergrid import Grid, Hypergrid, corners_reward
from fluvial.metrics.exact import (
    backward_weights,
    edge_log_pb,
    edge_log_pf,
    exact_flows,
    exact_log_probability,
    group_by_text,
    jensen_shannon,
    kl,
    l1_distance,
    sampling_noise_floor,
    total_variation,
    uniform_log_pb,
)
from fluvial.testing.slots import Filled, Slots


def two_by_two() -> tuple[Hypergrid, StateGraph[Grid], Tensor]:
    """Grid with rewards 1, 2, 3, 4 of 00, 01, 10, 11."""
    env = Hypergrid(2, 2)
    graph = enumerate_states(env)
    reward = 1.0 + (graph.states.coordinate * torch.tensor([2, 1])).sum(dim=1)
    return env, graph, reward.double().log()


def by_key(graph: StateGraph[Grid], values: Tensor) -> dict[int, float]:
    return dict(zip(graph.identity.tolist(), values.tolist(), strict=True))


def test_flows_by_hand():
    env, graph, log_reward = two_by_two()
    flows = exact_flows(graph, log_reward, uniform_log_pb(env, graph))
    # F(11) = 4, F(01) = 2 + 4/2, F(10) = 3 + 4/2, F(00) = 1 + 4 + 5; keys are 2 * number + is_done.
    expected = {0: 10.0, 2: 4.0, 4: 5.0, 6: 4.0, 1: 1.0, 3: 2.0, 5: 3.0, 7: 4.0}
    assert by_key(graph, flows.log_flow.exp()) == pytest.approx(expected)
    assert flows.log_z == pytest.approx(math.log(10.0))
    policy = torch.zeros(len(graph), 3, dtype=torch.float64)
    policy[graph.source, graph.action] = flows.log_pf.exp()
    assert policy[0].tolist() == pytest.approx([0.1, 0.5, 0.4])
    assert policy[graph.identity == 4][0].tolist() == pytest.approx([0.6, 0.0, 0.4])


def test_flows_with_a_table_of_backward_probabilities():
    _, graph, log_reward = two_by_two()
    table = torch.zeros(len(graph), 3, dtype=torch.float64)
    corner = graph.identity == 6
    table[corner] = torch.tensor([0.0, 0.25, 0.75], dtype=torch.float64).log()
    flows = exact_flows(graph, log_reward, table)
    # From 11, axis 0 is undone (to 01) with 1/4 and axis 1 (to 10) with 3/4.
    assert by_key(graph, flows.log_flow.exp()) == pytest.approx(
        {0: 10.0, 2: 3.0, 4: 6.0, 6: 4.0, 1: 1.0, 3: 2.0, 5: 3.0, 7: 4.0}
    )


def test_probabilities_by_hand():
    _, graph, _ = two_by_two()
    # Stop with 1/2 at 00 and 1/4 per axis; at 01 and 10 stop and go are even.
    table = torch.full((len(graph), 3), -math.inf, dtype=torch.float64)
    table[0] = torch.tensor([0.5, 0.25, 0.25]).double().log()
    table[graph.identity == 2] = torch.tensor([0.5, 0.5, 0.0]).double().log()
    table[graph.identity == 4] = torch.tensor([0.5, 0.0, 0.5]).double().log()
    table[graph.identity == 6] = torch.tensor([1.0, 0.0, 0.0]).double().log()
    p = exact_log_probability(graph, table).exp()
    expected = {0: 1.0, 2: 0.25, 4: 0.25, 6: 0.25, 1: 0.5, 3: 0.125, 5: 0.125, 7: 0.25}
    assert by_key(graph, p) == pytest.approx(expected)


def test_states_that_the_policy_never_reaches():
    _, graph, _ = two_by_two()
    table = torch.full((len(graph), 3), -math.inf)
    table[:, 0] = 0.0
    log_p = exact_log_probability(graph, table)
    assert by_key(graph, log_p.exp()) == {0: 1.0, 1: 1.0, 2: 0.0, 3: 0.0, 4: 0.0, 5: 0.0, 6: 0.0, 7: 0.0}
    assert not log_p.isnan().any()


def test_no_reward_in_reach_is_no_flow():
    env, graph, log_reward = two_by_two()
    log_reward = torch.where(graph.identity == 7, -math.inf, log_reward)
    flows = exact_flows(graph, log_reward, uniform_log_pb(env, graph))
    assert by_key(graph, flows.log_flow.exp())[6] == 0.0
    assert flows.log_z == pytest.approx(math.log(6.0))
    assert not flows.log_pf.isnan().any()


def random_policy(env: Hypergrid, states: Grid, seed: int) -> Tensor:
    """Log probabilities that depend on the state and not on its place in the batch."""
    torch.manual_seed(seed)
    weight = torch.randn(env.observation_width, env.n_actions)
    return MaskedCategorical(env.observe(states) @ weight, env.mask(states)).log_probs


@pytest.mark.parametrize(("dimension", "side"), [(1, 6), (2, 8), (3, 4)])
@pytest.mark.parametrize("seed", [0, 1])
def test_probabilities_sum_to_one_over_terminal_states(dimension, side, seed):
    env = Hypergrid(dimension, side)
    graph = enumerate_states(env)
    log_p = exact_log_probability(graph, lambda states: random_policy(env, states, seed))
    assert log_p[graph.is_terminal].exp().sum().item() == pytest.approx(1.0, abs=1e-5)
    assert (log_p <= 1e-6).all()


def test_function_table_and_edges_agree(monkeypatch):
    env = Hypergrid(2, 5)
    graph = enumerate_states(env)
    table = torch.full((len(graph), 3), torch.nan)
    alive = ~graph.is_terminal
    table[alive] = random_policy(env, graph.states[alive], 0)
    edges = edge_log_pf(graph, table)
    assert not edges.isnan().any()
    monkeypatch.setattr("fluvial.metrics.exact.ROWS_AT_ONCE", 7)
    by_function = edge_log_pf(graph, lambda states: random_policy(env, states, 0))
    torch.testing.assert_close(edges, by_function, rtol=0.0, atol=1e-6)
    assert torch.equal(edge_log_pf(graph, edges), edges)


@pytest.mark.parametrize(("dimension", "side"), [(2, 8), (4, 4)])
def test_exact_policy_samples_in_proportion_to_reward(dimension, side):
    env = Hypergrid(dimension, side)
    graph = enumerate_states(env)
    log_reward = corners_reward(graph.states.coordinate, side).double().log()
    flows = exact_flows(graph, log_reward, uniform_log_pb(env, graph))
    target = log_reward[graph.is_terminal].softmax(dim=0)
    p = exact_log_probability(graph, flows.log_pf).exp()[graph.is_terminal]
    assert total_variation(p, target) < 1e-12
    assert flows.log_z == pytest.approx(log_reward[graph.is_terminal].logsumexp(dim=0).item(), abs=1e-12)


def test_long_paths_do_not_underflow():
    env = Hypergrid(1, 1200)
    graph = enumerate_states(env)
    # Go on with probability e^-1 each time: the last state has log p = -1199, far below the smallest double.
    log_pf = torch.where(graph.action == 0, math.log1p(-math.exp(-1.0)), -1.0)
    assert exact_log_probability(graph, log_pf).min().item() == pytest.approx(
        -1199.0 + math.log1p(-math.exp(-1))
    )


def test_weights_of_a_grid_are_one():
    env = Hypergrid(3, 3)
    graph = enumerate_states(env)
    weights = backward_weights(graph, uniform_log_pb(env, graph))
    torch.testing.assert_close(weights, torch.ones_like(weights), rtol=0.0, atol=1e-12)


def test_weights_of_symmetric_states_count_arrangements():
    env = Slots(3, 2)
    graph = enumerate_states(env)
    weights = backward_weights(graph, uniform_log_pb(env, graph))[graph.is_terminal]
    texts = env.decode(graph.states[graph.is_terminal])
    assert dict(zip(texts, weights.tolist(), strict=True)) == pytest.approx(
        {"aaa": 1.0, "aab": 3.0, "abb": 3.0, "bbb": 1.0}
    )


@pytest.mark.parametrize(
    ("corrected", "expected"), [(False, [0.25, 0.5, 0.25]), (True, [1 / 3, 1 / 3, 1 / 3])]
)
def test_the_symmetry_correction_makes_objects_equally_likely(corrected, expected):
    env = Slots(2, 2)
    graph = enumerate_states(env, identity=labelled_identity)
    log_reward = env.log_symmetry(graph.states) * corrected
    flows = exact_flows(graph, log_reward, uniform_log_pb(env, graph))
    p = exact_log_probability(graph, flows.log_pf).exp()[graph.is_terminal]
    objects, sums = group_by_text(env.decode(graph.states[graph.is_terminal]), p)
    assert dict(zip(objects, sums.tolist(), strict=True)) == pytest.approx(
        dict(zip(["aa", "ab", "bb"], expected, strict=True))
    )
    assert flows.log_z == pytest.approx(math.log(3.0 if corrected else 4.0))


def prefers_late_colours(env: Slots, states: Filled) -> Tensor:
    """Backward log probabilities that depend on colours alone, not on which slot holds them."""
    logits = torch.cat([torch.zeros(len(states), 1), states.colour.double()], dim=1)
    return MaskedCategorical(logits, env.back_mask(states)).log_probs


def test_learned_backward_policy_on_merged_and_on_labelled_states(monkeypatch):
    monkeypatch.setattr("fluvial.metrics.exact.ROWS_AT_ONCE", 5)
    env = Slots(3, 2)
    results = []
    for identity in (None, labelled_identity):
        graph = enumerate_states(env, identity=identity)
        log_pb = edge_log_pb(env, graph, lambda states: prefers_late_colours(env, states))
        weights = backward_weights(graph, log_pb)[graph.is_terminal]
        objects, sums = group_by_text(env.decode(graph.states[graph.is_terminal]), weights)
        results.append(dict(zip(objects, sums.tolist(), strict=True)))
    # Any backward policy gives the same weights: one for each arrangement.
    assert results[0] == pytest.approx({"aaa": 1.0, "aab": 3.0, "abb": 3.0, "bbb": 1.0})
    assert results[1] == pytest.approx(results[0])


def test_group_by_text_by_hand():
    objects, sums = group_by_text(["b", "a", "b"], torch.tensor([0.25, 0.5, 0.25]))
    assert objects == ["b", "a"]
    assert sums.tolist() == [0.5, 0.5]
    assert group_by_text([], torch.zeros(0))[1].tolist() == []


P = torch.tensor([0.5, 0.5, 0.0])
Q = torch.tensor([0.25, 0.5, 0.25])


def test_distances_by_hand():
    assert total_variation(P, Q) == pytest.approx(0.25)
    assert kl(P, Q) == pytest.approx(0.5 * math.log(2.0))
    assert kl(Q, P) == math.inf
    middle = 0.5 * (0.5 * math.log(4 / 3)) + 0.5 * (0.25 * math.log(2 / 3) + 0.25 * math.log(2.0))
    assert jensen_shannon(P, Q) == pytest.approx(middle)


def test_distances_of_equal_and_of_disjoint_distributions():
    other = torch.tensor([0.0, 0.0, 1.0])
    assert total_variation(P, P) == kl(P, P) == jensen_shannon(P, P) == 0.0
    assert total_variation(P, other) == 1.0
    assert jensen_shannon(P, other) == pytest.approx(math.log(2.0))


def test_noise_floor_by_hand():
    # Two even cells, 100 draws: sqrt(0.5 / (100 pi)).
    assert sampling_noise_floor(torch.tensor([0.5, 0.5]), 100) == pytest.approx(0.0398942, abs=1e-7)


def test_noise_floor_is_what_sampling_gives():
    q = torch.tensor([0.4, 0.3, 0.2, 0.1])
    generator = torch.Generator().manual_seed(0)
    draws = torch.multinomial(q.expand(2000, -1), 200, replacement=True, generator=generator)
    frequency = torch.nn.functional.one_hot(draws, 4).double().mean(dim=1)
    measured = 0.5 * (frequency - q).abs().sum(dim=1).mean().item()
    assert measured == pytest.approx(sampling_noise_floor(q, 200), rel=0.03)


def test_distances_equal_sums_of_plain_numbers():
    """1,000 random pairs, some with objects of probability 0."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(1000):
        p, q = torch.rand((2, 6), generator=generator, dtype=torch.float64)
        p = torch.where(p < 0.2, 0.0, p) / torch.where(p < 0.2, 0.0, p).sum()
        q = q / q.sum()
        pairs = list(zip(p.tolist(), q.tolist(), strict=True))
        absolute = sum(abs(a - b) for a, b in pairs)
        assert total_variation(p, q) == pytest.approx(absolute / 2)
        assert l1_distance(p, q) == pytest.approx(absolute)
        assert kl(p, q) == pytest.approx(sum(a * math.log(a / b) for a, b in pairs if a))
        halves = [(a, b, (a + b) / 2) for a, b in pairs]
        shannon = sum(a * math.log(a / m) for a, _, m in halves if a)
        shannon += sum(b * math.log(b / m) for _, b, m in halves)
        assert jensen_shannon(p, q) == pytest.approx(shannon / 2)
        floor = sum(math.sqrt(2 * b * (1 - b) / (math.pi * 50)) for _, b in pairs) / 2
        assert sampling_noise_floor(q, 50) == pytest.approx(floor)
