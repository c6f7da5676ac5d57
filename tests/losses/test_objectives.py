"""Objectives under one signature, their weights, and that minimising them finds the target."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from fluvial.core.enumeration import enumerate_states
from fluvial.core.types import Condition, Scores
from fluvial.envs.hypergrid import Hypergrid
from fluvial.losses.objectives import (
    LOG_Z_ESTIMATES,
    OBJECTIVES,
    subtb,
    subtb_of_squares,
    tb,
    trajectory_loss,
)
from fluvial.losses.regression import REGRESSIONS, absolute, square
from fluvial.losses.residuals import trajectory_balance
from fluvial.metrics.exact import exact_log_probability, total_variation
from fluvial.policy.tabular import TabularPolicy
from fluvial.policy.uniform import UniformPolicy
from fluvial.sample.rollout import rollout
from fluvial.sample.score import score


def random_batch() -> tuple[Scores, Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    mask = torch.arange(4)[:, None] < torch.tensor([4, 2, 1])
    log_pf, log_pb = torch.randn(2, 4, 3).double() * mask
    scores = Scores(log_pf, log_pb, torch.randn(5, 3).double(), mask)
    return scores, torch.randn(3).double(), torch.randn(3).double(), torch.tensor([0, 0, 1])


@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_residual_and_weight_match_and_weights_sum_to_one_per_trajectory(name):
    residual, weight = OBJECTIVES[name](*random_batch())
    assert residual.shape == weight.shape
    assert residual.dtype == weight.dtype == torch.float64
    torch.testing.assert_close(weight.reshape(-1, 3).sum(dim=0), torch.ones(3).double(), rtol=0.0, atol=1e-6)
    assert not weight.requires_grad
    assert (residual[weight == 0.0] == 0.0).all()


def test_losses_by_hand():
    mask = torch.tensor([[True, True], [True, False]])
    scores = Scores(
        log_pf=torch.tensor([[-1.0, -2.0], [-3.0, 0.0]]),
        log_pb=torch.tensor([[-0.5, 0.0], [0.0, 0.0]]),
        log_flow=torch.tensor([[5.0, 1.0], [2.0, 0.0], [0.0, 0.0]]),
        mask=mask,
    )
    inputs = scores, torch.tensor([1.0, 0.0]), torch.tensor([4.0, 3.0]), torch.tensor([0, 0])
    loss = {name: trajectory_loss(*OBJECTIVES[name](*inputs), absolute).tolist() for name in OBJECTIVES}
    # Sums of log P_F - log P_B are -3.5 and -2, so TB is 4 - 3.5 - 1 and 3 - 2 - 0.
    assert loss["tb"] == pytest.approx([0.5, 1.0])
    # s = 4.5 and 2, each 1.25 from their mean.
    assert loss["vargrad"] == pytest.approx([1.25, 1.25])
    # 5 - 0.5 - 2 = 2.5 and 2 - 3 - 1 = -2 with weight 1/2; 1 - 2 - 0 = -1 with weight 1.
    assert loss["db"] == pytest.approx([0.5 * (2.5 + 2.0), 1.0])
    # The same with weight 1, and the whole 5 - 3.5 - 1 = 0.5 with weight 0.9, of 2.9 in all.
    assert loss["subtb"] == pytest.approx([(2.5 + 2.0 + 0.9 * 0.5) / 2.9, 1.0])


@pytest.mark.parametrize("regression", list(REGRESSIONS))
def test_loss_of_trajectory_balance_is_that_of_its_residuals(regression):
    scores, log_reward, log_z, group = random_batch()
    residual = trajectory_balance(scores.log_pf, scores.log_pb, log_reward, log_z)
    loss = trajectory_loss(*OBJECTIVES["tb"](scores, log_reward, log_z, group), REGRESSIONS[regression])
    torch.testing.assert_close(loss, REGRESSIONS[regression](residual))


def test_options_by_hand():
    mask = torch.ones(1, 2).bool()
    scores = Scores(torch.zeros(1, 2), torch.zeros(1, 2), torch.tensor([[1.0, 2.0], [0.0, 0.0]]), mask)
    inputs = scores, torch.tensor([4.0, 3.0]), torch.tensor([1.0, 2.0]).log(), torch.tensor([0, 0])
    # log(1 + 2) - log(4 + 2) and log(2 + 2) - log(3 + 2).
    residual, _ = tb(scores, inputs[1].log(), inputs[2], inputs[3], smoothing=math.log(2.0))
    assert residual.tolist() == pytest.approx([math.log(3 / 6), math.log(4 / 5)])
    # A single transition is the only part, so the residuals are 1 - 4 and 2 - 3 whatever the decay.
    residual, weight = subtb(*inputs, decay=0.1)
    assert residual[0, 1].tolist() == [-3.0, -1.0]
    assert weight[0, 1].tolist() == [1.0, 1.0]


def test_squares_of_all_parts_have_a_closed_form():
    inputs = random_batch()
    expected = trajectory_loss(*subtb(*inputs, decay=1.0), square)
    torch.testing.assert_close(trajectory_loss(*subtb_of_squares(*inputs), square), expected)


def test_no_objective_mixes_trajectories_of_different_conditions():
    scores, log_reward, log_z, group = random_batch()
    for name, objective in OBJECTIVES.items():
        residual, weight = objective(scores, log_reward, log_z, group)
        changed = log_reward + torch.tensor([0.0, 0.0, 2.0])
        other, same_weight = objective(scores, changed, log_z, group)
        assert torch.equal(residual[..., :2], other[..., :2]), name
        assert torch.equal(weight, same_weight), name


@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_minimising_finds_the_target(name):
    torch.manual_seed(0)
    env = Hypergrid(2, 2)
    graph = enumerate_states(env)
    worth = torch.tensor([2.0, 1.0])
    nothing = torch.zeros(64, 0)
    condition = Condition(nothing, torch.ones(64), nothing, nothing)
    trajectories = rollout(env, UniformPolicy(env), condition, torch.Generator().manual_seed(0))
    target = (1.0 + trajectories.final_states.coordinate.float() @ worth).log()
    policy, log_z = TabularPolicy(env, graph), torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([*policy.parameters(), log_z], lr=0.1)
    group = torch.zeros(64).long()
    for _ in range(200):
        scores = score(policy, trajectories)
        loss = trajectory_loss(*OBJECTIVES[name](scores, target, log_z.expand(64), group), square).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    final = graph.is_terminal
    learned = exact_log_probability(graph, lambda states: policy(states).forward.log_probs)[final].exp()
    reward = (1.0 + graph.states.coordinate[final].float() @ worth).double()
    assert total_variation(learned, reward / reward.sum()) < 0.01
    # 1 + 2 + 3 + 4 over the grid.
    estimate = LOG_Z_ESTIMATES[name](score(policy, trajectories), target, log_z.expand(64))
    assert estimate.tolist() == pytest.approx([math.log(10.0)] * 64, abs=0.02)
