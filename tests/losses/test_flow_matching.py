"""Flow matching by hand and on exact flows."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from fluvial.losses.flow_matching import flow_matching, flow_matching_weights, log_inflow

NAN = math.nan


def logs(rows: list[list[float]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64).log()


# Two trajectories, of 3 transitions and of 1.
MASK = torch.tensor([[True, True], [True, False], [True, False]])
INFLOW = logs([[8.0, 5.0], [3.0, NAN], [2.0, NAN]])
OUTFLOW = logs([[4.0, NAN], [6.0, NAN], [NAN, NAN]])
LOG_REWARD = logs([[4.0, 10.0]])[0]


# Inflow


def test_inflow_by_hand():
    edges = logs([[1.0, 50.0, 2.0], [4.0, 3.0, 5.0], [9.0, 9.0, 9.0]])
    edges[0, 1] = NAN
    mask = torch.tensor([[True, False, True], [True, True, True], [False, False, False]])
    assert log_inflow(edges, mask).exp().tolist() == pytest.approx([3.0, 12.0, 0.0])


def test_inflow_of_large_and_small_flows_keeps_its_digits():
    edges = torch.tensor([[1000.0, 1000.0], [-1000.0, -1000.0]])
    expected = torch.tensor([1000.0 + math.log(2.0), -1000.0 + math.log(2.0)])
    torch.testing.assert_close(log_inflow(edges, torch.ones(2, 2).bool()), expected)


def test_inflow_gives_each_edge_its_share_of_the_gradient_and_none_to_others():
    edges = torch.tensor([[0.0, NAN, math.log(3.0)], [NAN, NAN, NAN]]).requires_grad_()
    mask = torch.tensor([[True, False, True], [False, False, False]])
    log_inflow(edges, mask)[0].backward()
    assert edges.grad is not None
    assert edges.grad[0].tolist() == pytest.approx([0.25, 0.0, 0.75])
    assert edges.grad[1].tolist() == [0.0, 0.0, 0.0]


# Residuals


def test_residuals_by_hand():
    residual = flow_matching(INFLOW, OUTFLOW, LOG_REWARD, MASK)
    # 8 in, 4 out; 3 in, 6 out; the stop's 2 against the reward 4. The other's stop: 5 against 10.
    assert residual[:, 0].tolist() == pytest.approx([math.log(2.0), -math.log(2.0), -math.log(2.0)])
    assert residual[:, 1].tolist() == pytest.approx([-math.log(2.0), 0.0, 0.0])


def test_smoothed_residuals_by_hand():
    residual = flow_matching(INFLOW, OUTFLOW, LOG_REWARD, MASK, smoothing=math.log(2.0)).exp()
    assert residual[:, 0].tolist() == pytest.approx([10.0 / 6.0, 5.0 / 8.0, 4.0 / 6.0])
    assert residual[:, 1].tolist() == pytest.approx([7.0 / 12.0, 1.0, 1.0])


@pytest.mark.parametrize("smoothing", [None, -2.0])
def test_nothing_unread_gets_gradient(smoothing):
    inflow, outflow = INFLOW.clone().requires_grad_(), OUTFLOW.clone().requires_grad_()
    flow_matching(inflow, outflow, LOG_REWARD, MASK, smoothing).square().sum().backward()
    assert inflow.grad is not None
    assert outflow.grad is not None
    assert ((inflow.grad != 0.0) == MASK).all()
    assert (outflow.grad != 0.0).tolist() == [[True, False], [True, False], [False, False]]
    assert inflow.grad.isfinite().all()
    assert outflow.grad.isfinite().all()


def arrivals(exact) -> tuple[Tensor, Tensor]:
    """Inflow and outflow at `states[t + 1]` of exact edge flows, nan where they are not read."""
    flow = torch.tensor([10.0, 2.0 + 1.2, 3.0 + 2.8, 4.0], dtype=torch.float64)
    edge = (flow[:, None] * exact.policy).log()
    into = torch.full((4, 2), NAN, dtype=torch.float64)
    into[1, 0], into[2, 0], into[3, 0], into[3, 1] = edge[0, 1], edge[0, 2], edge[1, 2], edge[2, 1]
    is_edge = torch.tensor([[False, False], [True, False], [True, False], [True, True]])
    by_state = torch.cat([log_inflow(into, is_edge), into[0, :1]])
    row, stop = torch.arange(5), exact.mask.sum(dim=0) - 1
    inflow = by_state[exact.state[1:]]
    inflow[stop, row] = edge[exact.state[stop, row], 0]
    return inflow, exact.log_flow[1:]


def test_residuals_vanish_on_exact_flows(diamond):
    exact = diamond([1.0, 2.0, 3.0, 4.0], 0.3)
    inflow, outflow = arrivals(exact)
    for smoothing in (None, 0.5):
        residual = flow_matching(inflow, outflow, exact.log_reward, exact.mask, smoothing)
        assert residual.abs().max() < 1e-12
    off = flow_matching(inflow, outflow, exact.log_reward + 0.1, exact.mask)
    # The reward is seen by the stop and by nothing else.
    assert (off.abs() > 0.09).sum(dim=0).tolist() == [1, 1, 1, 1, 1]


# Weights


def test_plain_weights_by_hand():
    mask = torch.arange(4)[:, None] < torch.tensor([3, 1, 2])
    weights = flow_matching_weights(mask)
    assert weights[:, 0].tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0.0])
    assert weights[:, 1].tolist() == [1.0, 0.0, 0.0, 0.0]
    assert weights[:, 2].tolist() == [0.5, 0.5, 0.0, 0.0]


def test_balanced_weights_by_hand():
    mask = torch.arange(4)[:, None] < torch.tensor([3, 1, 2])
    weights = flow_matching_weights(mask, 10.0)
    assert weights[:, 0].tolist() == [0.5, 0.5, 10.0, 0.0]
    assert weights[:, 1].tolist() == [10.0, 0.0, 0.0, 0.0]
    assert weights[:, 2].tolist() == [1.0, 10.0, 0.0, 0.0]


def test_a_leaf_weight_of_zero_leaves_the_reward_out():
    weights = flow_matching_weights(MASK, 0.0)
    assert weights[:, 0].tolist() == [0.5, 0.5, 0.0]
    assert weights[:, 1].tolist() == [0.0, 0.0, 0.0]
