"""Sub-trajectories against a literal sum, and by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from fluvial.core.errors import ConfigError
from fluvial.losses.residuals import detailed_balance, trajectory_balance
from fluvial.losses.subtrajectories import (
    geometric_weights,
    part_mask,
    potential_variance,
    potential_weights,
    sub_trajectory_balance,
)

LENGTHS = [5, 1, 3, 4]


def mask_of(lengths: list[int], n_times: int) -> Tensor:
    return torch.arange(n_times)[:, None] < torch.tensor(lengths)


def random_scores(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Of trajectories of `LENGTHS`, one time step longer than the longest."""
    torch.manual_seed(seed)
    mask = mask_of(LENGTHS, 6)
    log_pf, log_pb = torch.randn(2, 6, 4).double() * mask
    return log_pf, log_pb, torch.randn(7, 4).double(), torch.randn(4).double(), mask


def literal(log_pf: Tensor, log_pb: Tensor, log_flow: Tensor, log_reward: Tensor, mask: Tensor) -> Tensor:
    """The definition, one term at a time."""
    n_times, n_rows = mask.shape
    residual = torch.zeros(n_times + 1, n_times + 1, n_rows, dtype=log_pf.dtype)
    for row in range(n_rows):
        length = int(mask[:, row].sum())
        flow = [float(log_flow[t, row]) for t in range(length)] + [float(log_reward[row])]
        for i in range(length):
            for j in range(i + 1, length + 1):
                total = flow[i] - flow[j]
                for t in range(i, j):
                    total += float(log_pf[t, row]) - float(log_pb[t, row])
                residual[i, j, row] = total
    return residual


@pytest.mark.parametrize("seed", [0, 1])
def test_residuals_are_those_of_the_definition(seed):
    scores = random_scores(seed)
    torch.testing.assert_close(sub_trajectory_balance(*scores), literal(*scores), rtol=0.0, atol=1e-12)


def test_residuals_by_hand():
    log_pf = torch.tensor([[0.5], [0.25]]).log()
    log_pb = torch.tensor([[0.5], [1.0]]).log()
    log_flow = torch.tensor([[16.0], [4.0], [99.0]]).log()
    mask = torch.ones(2, 1).bool()
    residual = sub_trajectory_balance(log_pf, log_pb, log_flow, torch.tensor([8.0]).log(), mask)[:, :, 0]
    # (0, 1): 16 · 1/2 to 4 · 1/2; (1, 2): 4 · 1/4 to 8; (0, 2): 16 · 1/8 to 8 · 1/2.
    expected = torch.tensor([[0.0, math.log(4), -math.log(2)], [0.0, 0.0, -math.log(8)], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(residual, expected)


def test_the_ends_are_detailed_and_trajectory_balance():
    log_pf, log_pb, log_flow, log_reward, mask = scores = random_scores(2)
    residual = sub_trajectory_balance(*scores)
    times = torch.arange(6)
    torch.testing.assert_close(residual[times, times + 1], detailed_balance(*scores))
    whole = residual[0, mask.sum(dim=0), torch.arange(4)]
    torch.testing.assert_close(whole, trajectory_balance(log_pf, log_pb, log_reward, log_flow[0]))


def test_terminal_flow_and_flow_at_padding_are_not_read():
    log_pf, log_pb, log_flow, log_reward, mask = scores = random_scores(3)
    other = torch.where(torch.cat([mask, torch.zeros(1, 4).bool()]), log_flow, math.nan)
    changed = sub_trajectory_balance(log_pf, log_pb, other, log_reward, mask)
    assert torch.equal(changed, sub_trajectory_balance(*scores))


def test_longer_padding_changes_nothing():
    log_pf, log_pb, log_flow, log_reward, mask = scores = random_scores(4)
    shorter = sub_trajectory_balance(log_pf[:5], log_pb[:5], log_flow[:6], log_reward, mask[:5])
    longer = sub_trajectory_balance(*scores)
    assert torch.equal(longer[:6, :6], shorter)
    assert longer[6].abs().max() == longer[:, 6].abs().max() == 0.0
    torch.testing.assert_close(geometric_weights(mask, 0.7)[:6, :6], geometric_weights(mask[:5], 0.7))


def test_parts_of_a_trajectory():
    parts = part_mask(mask_of(LENGTHS, 6))
    assert parts.sum(dim=(0, 1)).tolist() == [15, 1, 6, 10]
    assert parts[:, :, 1].nonzero().tolist() == [[0, 1]]
    assert parts[:, :, 2].nonzero().tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]


def test_weights_by_hand():
    weights = geometric_weights(mask_of([3, 1], 3), 0.5)
    # Three parts of length 1, two of 2, one of 3: 3 · 1/2 + 2 · 1/4 + 1/8 = 17/8.
    assert weights[:, :, 0].tolist() == [
        pytest.approx([0.0, 4 / 17, 2 / 17, 1 / 17]),
        pytest.approx([0.0, 0.0, 4 / 17, 2 / 17]),
        pytest.approx([0.0, 0.0, 0.0, 4 / 17]),
        [0.0, 0.0, 0.0, 0.0],
    ]
    assert weights[0, 1, 1].item() == 1.0
    assert weights[:, :, 1].sum().item() == 1.0


@pytest.mark.parametrize("decay", [1e-30, 0.1, 0.9, 1.0])
def test_weights_sum_to_one_per_trajectory(decay):
    mask = mask_of(LENGTHS, 6)
    weights = geometric_weights(mask, decay)
    torch.testing.assert_close(weights.sum(dim=(0, 1)), torch.ones(4))
    assert (weights[~part_mask(mask)] == 0.0).all()


def test_weights_at_both_ends_of_the_decay():
    even = geometric_weights(mask_of([3], 3), 1.0)
    assert even[even > 0.0].tolist() == pytest.approx([1 / 6] * 6)
    single = geometric_weights(mask_of([3], 3), 1e-30)
    assert [single[t, t + 1, 0].item() for t in range(3)] == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize("decay", [0.0, -0.5, 1.01, math.nan])
def test_a_decay_out_of_range_is_refused(decay):
    with pytest.raises(ConfigError, match="above 0 and at most 1"):
        geometric_weights(mask_of([3], 3), decay)


# Potentials


@pytest.fixture
def float64_weights():
    """Weights are of the default type, whose digits this test is about."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.mark.usefixtures("float64_weights")
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_squares_of_potentials_are_those_of_all_parts(seed):
    scores = random_scores(seed)
    mask = scores[-1]
    parts = geometric_weights(mask, 1.0) * sub_trajectory_balance(*scores).square()
    states = potential_weights(mask) * potential_variance(*scores).square()
    torch.testing.assert_close(states.sum(dim=0), parts.sum(dim=(0, 1)), rtol=0.0, atol=1e-12)


@pytest.mark.usefixtures("float64_weights")
def test_gradients_of_potentials_are_those_of_all_parts():
    log_pf, log_pb, log_flow, log_reward, mask = random_scores(3)
    inputs = log_pf.requires_grad_(), log_flow.requires_grad_()
    parts = sub_trajectory_balance(log_pf, log_pb, log_flow, log_reward, mask).square()
    states = potential_variance(log_pf, log_pb, log_flow, log_reward, mask).square()
    expected = torch.autograd.grad((geometric_weights(mask, 1.0) * parts).sum(), inputs)
    found = torch.autograd.grad((potential_weights(mask) * states).sum(), inputs)
    torch.testing.assert_close(found, expected, rtol=0.0, atol=1e-12)


def test_potentials_by_hand():
    log_pf = torch.tensor([[0.5], [0.25]]).double().log()
    log_pb = torch.tensor([[0.5], [1.0]]).double().log()
    log_flow = torch.tensor([[16.0], [4.0], [99.0]]).double().log()
    inputs = log_pf, log_pb, log_flow, torch.tensor([8.0]).double().log(), torch.ones(2, 1).bool()
    # In powers of 2, h is 4, 2 and 3 + 2, with mean 11/3.
    expected = [(h - 11 / 3) * math.log(2.0) for h in (4, 2, 5)]
    assert potential_variance(*inputs)[:, 0].tolist() == pytest.approx(expected)


def test_weights_of_potentials_by_hand():
    weights = potential_weights(mask_of([3, 1], 3))
    assert weights[:, 0].tolist() == pytest.approx([2 / 3] * 4)
    assert weights[:, 1].tolist() == [2.0, 2.0, 0.0, 0.0]


def test_potentials_read_no_padding():
    log_pf, log_pb, log_flow, log_reward, mask = scores = random_scores(4)
    is_left = torch.cat([mask, torch.zeros(1, 4).bool()])
    inputs = [
        torch.where(mask, log_pf, math.nan).requires_grad_(),
        torch.where(mask, log_pb, 7.0).requires_grad_(),
        torch.where(is_left, log_flow, math.nan).requires_grad_(),
    ]
    residual = potential_variance(*inputs, log_reward, mask)
    assert torch.equal(residual, potential_variance(*scores))
    torch.testing.assert_close(residual.sum(dim=0), torch.zeros(4).double(), rtol=0.0, atol=1e-12)
    gradients = torch.autograd.grad((potential_weights(mask) * residual.square()).sum(), inputs)
    for gradient, is_read in zip(gradients, (mask, mask, is_left), strict=True):
        assert (gradient[~is_read] == 0.0).all()
        assert (gradient[is_read] != 0.0).all()


def test_potentials_are_level_on_exact_flows_and_blind_to_a_common_factor(diamond):
    exact = diamond([1.0, 2.0, 3.0, 4.0], 0.3)
    inputs = exact.log_pf, exact.log_pb, exact.log_flow
    assert potential_variance(*inputs, exact.log_reward, exact.mask).abs().max() < 1e-12
    raised = exact.log_pf, exact.log_pb, exact.log_flow + 3.0
    assert potential_variance(*raised, exact.log_reward + 3.0, exact.mask).abs().max() < 1e-12
    assert potential_variance(*raised, exact.log_reward, exact.mask).abs().max() > 1.0
