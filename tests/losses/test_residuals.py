"""Residuals by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from fluvial.losses.residuals import (
    detailed_balance,
    flow_of_stopping,
    last_transitions,
    log_partition_variance,
    looking_forward,
    smoothed,
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


def test_last_transitions():
    mask = torch.tensor([[True, True, False], [True, False, False], [True, False, False]])
    expected = [[False, True, False], [False, False, False], [True, False, False]]
    assert last_transitions(mask).tolist() == expected


# Smoothing


def test_smoothed_trajectory_balance_by_hand():
    log_z, smoothing = torch.tensor([32.0, 24.0]).double().log(), math.log(2.0)
    residual = trajectory_balance(LOG_PF, LOG_PB, LOG_REWARD, log_z, smoothing)
    # 32 · 1/8 + 2 = 6 against 4 · 1/2 + 2 = 4; 24 · 1/4 + 2 = 8 against 4 + 2.
    assert residual.tolist() == pytest.approx([math.log(1.5), math.log(8.0 / 6.0)])


def test_smoothing_forgives_small_flows_and_changes_large_ones_little():
    log_z, log_reward = torch.tensor([-90.0, 40.0]).double(), torch.tensor([-80.0, 39.0]).double()
    nothing = torch.zeros(1, 2).double()
    residual = trajectory_balance(nothing, nothing, log_reward, log_z, smoothing=-20.0)
    assert residual.tolist() == pytest.approx([0.0, 1.0], abs=1e-12)
    assert trajectory_balance(nothing, nothing, log_reward, log_z).tolist() == [-10.0, 1.0]


def test_smoothing_is_a_sum_of_flows_and_none_is_no_change():
    flow = logs([[1.0, 3.0]])
    assert smoothed(flow, math.log(5.0)).exp().tolist() == [pytest.approx([6.0, 8.0])]
    assert smoothed(flow, None) is flow
    assert smoothed(flow, -math.inf).tolist() == flow.tolist()


# Relative to a prior


def test_relative_trajectory_balance_by_hand():
    # 16 · 1/8 against 4 · 1/2, and 16 · 1/4 against 4 · 1.
    exact = trajectory_balance(LOG_PF, LOG_PB, LOG_REWARD, torch.tensor(16.0).double().log())
    assert exact.tolist() == pytest.approx([0.0, 0.0], abs=1e-12)
    off = trajectory_balance(LOG_PF, LOG_PB, logs([[8.0, 2.0]])[0], torch.tensor(4.0).double().log())
    # 4 · 1/8 = 1/2 against 8 · 1/2 = 4, and 4 · 1/4 = 1 against 2.
    assert off.tolist() == pytest.approx([-math.log(8.0), -math.log(2.0)])


def test_relative_trajectory_balance_is_zero_at_the_posterior(diamond):
    prior = diamond([1.0, 2.0, 3.0, 4.0], 0.3)
    posterior = diamond([5.0, 2.0, 0.5, 8.0], 0.3)
    # Objects have prior probability 1, 2, 3, 4 in 10, so R turns them into 5, 2, 0.5, 8 in 15.5. Both go
    # through {a} with probability 0.3 on the way to {a, b}, as reweighing whole trajectories must.
    reward = posterior.log_reward - prior.log_reward
    log_z = torch.tensor(15.5 / 10.0, dtype=torch.float64).log()
    residual = trajectory_balance(posterior.log_pf, prior.log_pf, reward, log_z)
    assert residual.abs().max() < 1e-12
    assert trajectory_balance(prior.log_pf, prior.log_pf, reward, log_z).abs().min() > 0.1


# Forward-looking


def test_looking_forward_by_hand():
    energy = torch.tensor([[1.0, 2.0], [4.0, 0.5], [-1.0, math.nan]]).double()
    log_pb = LOG_PB.clone()
    log_pb[1, 1] = math.nan
    changed = looking_forward(log_pb, energy, MASK)
    # log 1/2 - (4 - 1), 0 - (-1 - 4); 0 - (0.5 - 2), padding.
    assert changed[:, 0].tolist() == pytest.approx([-math.log(2.0) - 3.0, 5.0])
    assert changed[:, 1].tolist() == [1.5, 0.0]


ENERGY = torch.tensor([0.7, -1.2, 0.4, 2.0]).double()
"""Of {}, {a}, {b}, {a, b} while they can grow."""
END = {
    "vanishes": torch.zeros(4).double(),
    "stays": ENERGY,
    "is any other": torch.tensor([0.1, 0.2, -0.3, 0.4]).double(),
}


def energies(exact, end: Tensor) -> Tensor:
    """Float [T + 1, B], with `end` at the terminal state of each object and nan at padding."""
    row = torch.arange(5)
    energy = torch.cat([ENERGY, torch.tensor([math.nan]).double()])[exact.state]
    energy[exact.mask.sum(dim=0), row] = end[exact.state[exact.mask.sum(dim=0) - 1, row]]
    return energy


@pytest.mark.parametrize("end", list(END))
def test_looking_forward_samples_the_reward_over_the_terminal_energy(diamond, end):
    exact = diamond([1.0, 2.0, 3.0, 4.0], 0.3)
    changed = looking_forward(exact.log_pb, energies(exact, END[end]), exact.mask)
    shift = changed.sum(dim=0) - exact.log_pb.sum(dim=0)
    torch.testing.assert_close(shift, ENERGY[0] - END[end][[0, 1, 2, 3, 3]])
    # Trajectory balance vanishes for P_F(path) Z = R · P_B(path), summed here over the paths of each object.
    paths = (exact.log_reward + changed.sum(dim=0)).exp()
    objects = torch.stack([paths[0], paths[1], paths[2], paths[3] + paths[4]])
    target = torch.tensor([1.0, 2.0, 3.0, 4.0]).double() * (-END[end]).exp()
    torch.testing.assert_close(objects / objects.sum(), target / target.sum())
    assert objects.sum().log().item() == pytest.approx(float(target.sum().log() + ENERGY[0]))
    same = torch.allclose(target / target.sum(), torch.tensor([0.1, 0.2, 0.3, 0.4]).double())
    assert same == (end == "vanishes")


@pytest.mark.parametrize("end", list(END))
def test_what_looking_forward_learns_is_flow_times_exp_energy(diamond, end):
    target = torch.tensor([1.0, 2.0, 3.0, 4.0]).double() * (-END[end]).exp()
    exact, log_reward = diamond(target.tolist(), 0.3), diamond([1.0, 2.0, 3.0, 4.0], 0.3).log_reward
    energy = energies(exact, END[end])
    changed = looking_forward(exact.log_pb, energy, exact.mask)
    residual = detailed_balance(exact.log_pf, changed, exact.log_flow + energy, log_reward, exact.mask)
    assert residual.abs().max() < 1e-12
    given_energy = log_reward + END["stays"][[0, 1, 2, 3, 3]]
    wrong = detailed_balance(exact.log_pf, changed, exact.log_flow + energy, given_energy, exact.mask)
    assert wrong[last_transitions(exact.mask)].abs().min() > 0.3


def test_no_reward_is_left_where_terminal_energy_is_minus_its_log(diamond):
    exact = diamond([1.0, 2.0, 3.0, 4.0], 0.3)
    energy = energies(exact, -torch.tensor([1.0, 2.0, 3.0, 4.0]).double().log())
    changed = looking_forward(exact.log_pb, energy, exact.mask)
    flow, nothing = exact.log_flow + energy, torch.zeros(5).double()
    assert detailed_balance(exact.log_pf, changed, flow, nothing, exact.mask).abs().max() < 1e-12


# Flows that the stop implies


def test_flow_of_stopping_by_hand():
    log_flow, log_stop = logs([[3.0, 7.0], [5.0, 2.0]]), logs([[0.5, 0.25], [0.125, 0.5]])
    log_stop[1, 0] = math.nan
    partial = logs([[4.0, 1.0], [math.nan, 3.0]])
    # 4 / (1/2), 1 / (1/4); no object, 3 / (1/2).
    expected = logs([[8.0, 4.0], [5.0, 6.0]])
    torch.testing.assert_close(flow_of_stopping(log_flow, partial, log_stop), expected)


def test_flow_of_stopping_gives_gradient_to_what_it_reads_only():
    log_flow = torch.zeros(2, 1).double().requires_grad_()
    log_stop = torch.tensor([[-1.0], [math.nan]]).double().requires_grad_()
    partial = torch.tensor([[2.0], [math.nan]]).double()
    flow_of_stopping(log_flow, partial, log_stop).sum().backward()
    assert log_flow.grad is not None
    assert log_stop.grad is not None
    assert log_flow.grad.flatten().tolist() == [0.0, 1.0]
    assert log_stop.grad.flatten().tolist() == [-1.0, 0.0]


def modified_detailed_balance(log_pf, log_pb, log_flow, log_partial, log_stop, log_reward, mask):
    """Detailed balance with the flow that the stop implies."""
    return detailed_balance(
        log_pf, log_pb, flow_of_stopping(log_flow, log_partial, log_stop), log_reward, mask
    )


def test_modified_detailed_balance_by_hand():
    partial, log_stop = logs([[2.0], [6.0], [1.0]]), logs([[0.25], [0.5], [1.0]])
    log_pf, log_pb, unread = (
        logs([[0.75], [0.5]]),
        logs([[0.5], [1.0]]),
        torch.full((3, 1), math.nan).double(),
    )
    inputs = log_pf, log_pb, unread, partial, log_stop, torch.tensor([6.0]).log().double()
    residual = modified_detailed_balance(*inputs, torch.ones(2, 1).bool())
    # 2 / (1/4) · 3/4 = 6 against 6 / (1/2) · 1/2 = 6, then the stop, 12 · 1/2 against 6.
    torch.testing.assert_close(residual, torch.zeros(2, 1).double(), rtol=0.0, atol=1e-6)
    double = modified_detailed_balance(log_pf + math.log(2.0), *inputs[1:], torch.ones(2, 1).bool())
    assert double[0].item() == pytest.approx(math.log(2.0))


@pytest.mark.parametrize("objects", [[0, 1, 2, 3], [1, 3], []])
def test_modified_detailed_balance_is_zero_on_exact_flows(diamond, objects):
    exact = diamond([1.0, 2.0, 3.0, 4.0], 0.3)
    is_object = torch.isin(exact.state, torch.tensor(objects))
    partial = exact.log_partial.masked_fill(~is_object, math.nan)
    log_flow = exact.log_flow.masked_fill(is_object, 7.0)
    inputs = log_flow, partial, exact.log_stop, exact.log_reward, exact.mask
    assert modified_detailed_balance(exact.log_pf, exact.log_pb, *inputs).abs().max() < 1e-12
    other = modified_detailed_balance(exact.log_pf, exact.log_pb.roll(1, dims=0), *inputs)
    assert other.abs().max() > 0.1
    assert (other[~exact.mask] == 0.0).all()
