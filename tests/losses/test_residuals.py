"""Residuals by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from fluvial.losses.residuals import (
    detailed_balance,
    log_partition_variance,
    trajectory_balance,
    with_terminal_flow,
)


def logs(rows: list[list[float]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64).log()


# Two trajectories, of 2 transitions and of 1; padding is probability 1.
LOG_PF = logs([[0.5, 0.25], [0.25, 1.0]])
LOG_PB = logs([[0.5, 1.0], [1.0, 1.0]])
LOG_FLOW = logs([[16.0, 16.0], [4.0, 1.0], [1.0, 1.0]])
MASK = torch.tensor([[True, True], [True, False]])
LOG_REWARD = logs([[4.0, 4.0]])[0]


def test_trajectory_balance_by_hand():
    residual = trajectory_balance(LOG_PF, LOG_PB, LOG_REWARD, torch.tensor(16.0).double().log())
    # 16 · 1/2 · 1/4 = 2 against 4 · 1/2; 16 · 1/4 = 4 against 4.
    torch.testing.assert_close(residual, torch.zeros(2).double(), rtol=0.0, atol=1e-12)
    double = trajectory_balance(LOG_PF, LOG_PB, LOG_REWARD, torch.tensor([32.0, 8.0]).double().log())
    assert double.tolist() == pytest.approx([math.log(2.0), -math.log(2.0)])


def test_detailed_balance_by_hand():
    residual = detailed_balance(LOG_PF, LOG_PB, LOG_FLOW, LOG_REWARD, MASK)
    # 16 · 1/2 against 4 · 1/2, then 4 · 1/4 against the reward 4; 16 · 1/4 against the reward 4.
    assert residual[:, 0].tolist() == pytest.approx([math.log(4.0), -math.log(4.0)])
    assert residual[:, 1].tolist() == pytest.approx([0.0, 0.0])


def test_residuals_of_transitions_add_up_to_that_of_the_trajectory():
    per_transition = detailed_balance(LOG_PF, LOG_PB, LOG_FLOW, LOG_REWARD, MASK)
    whole = trajectory_balance(LOG_PF, LOG_PB, LOG_REWARD, LOG_FLOW[0])
    torch.testing.assert_close(per_transition.sum(dim=0), whole)


def test_terminal_flow_is_the_reward():
    flow = with_terminal_flow(LOG_FLOW, LOG_REWARD, MASK).exp()
    assert flow[:, 0].tolist() == pytest.approx([16.0, 4.0, 4.0])
    assert flow[:, 1].tolist() == pytest.approx([16.0, 4.0, 4.0])


def test_detailed_balance_reads_no_padding_and_no_terminal_flow():
    residual = detailed_balance(LOG_PF, LOG_PB, LOG_FLOW, LOG_REWARD, MASK)
    flow, log_pf = LOG_FLOW.clone(), LOG_PF.clone()
    flow[2], flow[1, 1], log_pf[1, 1] = 7.0, math.nan, 3.0
    assert torch.equal(detailed_balance(log_pf, LOG_PB, flow, LOG_REWARD, MASK), residual)


def test_terminal_flow_gets_no_gradient():
    flow = LOG_FLOW.clone().requires_grad_()
    detailed_balance(LOG_PF, LOG_PB, flow, LOG_REWARD, MASK).square().sum().backward()
    assert flow.grad is not None
    assert flow.grad[2].tolist() == [0.0, 0.0]
    assert flow.grad[1, 1].item() == 0.0
    # 2 · log 4 at s_0; at s_1 the residuals log 4 of its way in and -log 4 of its way out.
    assert flow.grad[:2, 0].tolist() == pytest.approx([2.0 * math.log(4.0), -4.0 * math.log(4.0)])


def test_log_partition_variance_by_hand():
    log_pf = torch.tensor([[-1.0, -2.0, -3.0, -4.0]])
    log_reward = torch.tensor([0.0, 1.0, 0.0, 5.0])
    group = torch.tensor([7, 7, -2, 7])
    residual = log_partition_variance(log_pf, torch.zeros(1, 4), log_reward, group)
    # s = 1, 3, 3, 9; the mean of group 7 is 13/3, and -2 is alone.
    assert residual.tolist() == pytest.approx([1 - 13 / 3, 3 - 13 / 3, 0.0, 9 - 13 / 3])
    assert residual[2].item() == 0.0


def test_log_partition_variance_is_blind_to_a_factor_of_a_group():
    group = torch.tensor([0, 0, 1, 1, 1])
    torch.manual_seed(0)
    log_pf, log_reward = torch.randn(3, 5).double(), torch.randn(5).double()
    plain = log_partition_variance(log_pf, torch.zeros(3, 5), log_reward, group)
    scaled = log_partition_variance(log_pf, torch.zeros(3, 5), log_reward + 3.0 * (group == 1), group)
    torch.testing.assert_close(plain, scaled)
    assert plain[group == 0].sum().item() == pytest.approx(0.0, abs=1e-12)


def test_log_partition_variance_is_trajectory_balance_with_the_best_log_z():
    torch.manual_seed(0)
    log_pf, log_pb, log_reward = torch.randn(3, 6), torch.randn(3, 6), torch.randn(6)
    log_pf.requires_grad_()
    estimate = log_reward - (log_pf - log_pb).sum(dim=0)
    balance = trajectory_balance(log_pf, log_pb, log_reward, estimate.mean().detach())
    variance = log_partition_variance(log_pf, log_pb, log_reward, torch.zeros(6).long())
    torch.testing.assert_close(variance, -balance)
    gradients = [
        torch.autograd.grad(r.square().mean(), log_pf, retain_graph=True)[0] for r in (balance, variance)
    ]
    torch.testing.assert_close(gradients[0], gradients[1])
