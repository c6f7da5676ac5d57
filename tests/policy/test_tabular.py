"""The tabular policy: rows, masks, gradients, and the exact solution put into it."""

from __future__ import annotations

import math

import pytest
import torch

from fluvial.core.enumeration import enumerate_states, labelled_identity
from fluvial.core.errors import DataError
from fluvial.envs.hypergrid import Grid, Hypergrid, corners_reward
from fluvial.metrics.exact import exact_flows, exact_log_probability, total_variation, uniform_log_pb
from fluvial.policy.tabular import TabularPolicy
from fluvial.testing.slots import Filled, Slots


def grid_policy(dimension: int, side: int) -> tuple[Hypergrid, TabularPolicy[Grid]]:
    env = Hypergrid(dimension, side)
    return env, TabularPolicy(env, enumerate_states(env))


def test_starts_uniform():
    _, policy = grid_policy(2, 3)
    states = Grid(torch.tensor([[0, 0], [2, 1]]), torch.tensor([False, False]))
    output = policy(states)
    torch.testing.assert_close(output.forward.log_probs.exp()[0], torch.ones(3) / 3)
    assert output.forward.log_probs.exp()[1].tolist() == pytest.approx([0.5, 0.0, 0.5])
    assert output.backward.log_probs.exp()[1].tolist() == pytest.approx([0.0, 0.5, 0.5])
    assert output.log_flow.tolist() == [0.0, 0.0]


def test_each_state_has_its_own_row():
    env = Hypergrid(2, 4)
    graph = enumerate_states(env)
    policy = TabularPolicy(env, graph)
    order = torch.randperm(len(graph), generator=torch.Generator().manual_seed(0))
    assert torch.equal(policy.rows(graph.states[order]), order)
    with torch.no_grad():
        policy.log_flow.copy_(torch.arange(len(graph)))
    assert torch.equal(policy(graph.states[order]).log_flow.detach().long(), order)


def test_unknown_state_is_an_error():
    _, policy = grid_policy(2, 3)
    with pytest.raises(DataError, match="1 of 2 states are not among the 18 enumerated ones"):
        policy(Grid(torch.tensor([[0, 0], [3, 3]]), torch.tensor([False, False])))


def test_no_nan_reaches_the_parameters():
    env, policy = grid_policy(2, 3)
    # The initial state has no backward action, a finished one no forward action.
    states = Grid(torch.tensor([[0, 0], [1, 1], [1, 0]]), torch.tensor([False, False, True]))
    output = policy(states)
    total = output.forward.log_probs.exp().square().sum() + output.backward.log_probs.exp().square().sum()
    assert total.isfinite()
    (total + output.log_flow.sum()).backward()
    for parameter in policy.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
    assert bool(env.is_initial(states[:1]))


def test_gradient_reaches_the_visited_rows_only():
    _, policy = grid_policy(1, 3)
    states = Grid(torch.tensor([[1]]), torch.tensor([False]))
    policy(states).forward.log_prob(torch.tensor([0])).sum().backward()
    gradient = policy.forward_logits.grad
    assert gradient is not None
    row = policy.rows(states)
    assert gradient[row].tolist() == [[0.5, -0.5]]
    assert gradient.abs().sum().item() == pytest.approx(1.0)


def test_holds_the_exact_solution():
    env = Hypergrid(2, 6)
    graph = enumerate_states(env)
    log_reward = corners_reward(graph.states.coordinate, 6).double().log()
    flows = exact_flows(graph, log_reward, uniform_log_pb(env, graph))
    policy = TabularPolicy(env, graph).double()
    with torch.no_grad():
        policy.forward_logits[graph.source, graph.action] = flows.log_pf
    p = exact_log_probability(graph, lambda states: policy(states).forward.log_probs).exp()
    assert total_variation(p[graph.is_terminal], log_reward[graph.is_terminal].softmax(dim=0)) < 1e-12


def test_labelled_rows_tell_arrangements_apart():
    env = Slots(2, 2)
    states = Filled(torch.tensor([[1, 2], [2, 1]]), torch.tensor([False, False]))
    merged = TabularPolicy(env, enumerate_states(env))
    assert len(merged.rows(states).unique()) == 1
    graph = enumerate_states(env, identity=labelled_identity)
    labelled = TabularPolicy(env, graph, identity=labelled_identity)
    assert len(labelled.rows(states).unique()) == 2


def test_saved_weights_load_into_a_new_policy():
    env, policy = grid_policy(2, 3)
    with torch.no_grad():
        policy.forward_logits.uniform_(generator=torch.Generator().manual_seed(0))
    again = TabularPolicy(env, enumerate_states(env))
    again.load_state_dict(policy.state_dict())
    states = env.initial(1)
    assert torch.equal(again(states).forward.log_probs, policy(states).forward.log_probs)
    assert math.isfinite(again(states).forward.log_probs.sum().item())
