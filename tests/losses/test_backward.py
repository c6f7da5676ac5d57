"""Rules for backward policies by hand, against literal sums, and on exact numbers of paths."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from fluvial.losses.backward import (
    N_LOSSES,
    maxent_log_pb,
    negative_log_likelihood,
    path_log_pb,
    score_function,
)
from fluvial.losses.residuals import detailed_balance, last_transitions, trajectory_balance

NAN = math.nan

# Three trajectories, of 3 construction transitions, of 1 and of none, each with a stop after them. Nothing
# is read at the stop, after it, or of N at the initial state.
MASK = torch.tensor([[True, True, True], [True, True, False], [True, False, False], [True, False, False]])
LOG_PB = torch.tensor(
    [[-0.5, -1.0, NAN], [-1.0, NAN, NAN], [-2.0, NAN, NAN], [NAN, NAN, NAN]], dtype=torch.float64
)
LOG_N = torch.tensor(
    [[9.0, NAN, NAN], [1.0, 3.0, NAN], [3.0, NAN, NAN], [4.5, NAN, NAN], [NAN, NAN, NAN]], dtype=torch.float64
)


def residual_of(name: str) -> Tensor:
    return N_LOSSES[name](LOG_PB, LOG_N, MASK)[0]


def weight_of(name: str) -> Tensor:
    return N_LOSSES[name](LOG_PB, LOG_N, MASK)[1]


# By hand: N = 0, 1, 3, 4.5 and B = -0.5, -1, -2; N = 0, 3 and B = -1; N = 0


def test_transition_by_hand():
    residual = residual_of("transition")
    # 1 - 0.5 - 0, 3 - 1 - 1, 4.5 - 2 - 3; 3 - 1 - 0.
    assert residual[:, 0].tolist() == [0.5, 1.0, -0.5, 0.0]
    assert residual[:, 1].tolist() == [2.0, 0.0, 0.0, 0.0]
    assert residual[:, 2].tolist() == [0.0, 0.0, 0.0, 0.0]
    assert weight_of("transition")[:, 0].tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0.0])
    assert weight_of("transition")[:, 1].tolist() == [1.0, 0.0, 0.0, 0.0]


def test_subtb_by_hand():
    residual, weight = residual_of("subtb"), weight_of("subtb")
    assert residual[:, :, 0].tolist() == [
        # 0 - 1 + 0.5, 0 - 3 + 1.5, 0 - 4.5 + 3.5.
        [0.0, -0.5, -1.5, -1.0, 0.0],
        # 1 - 3 + 1, 1 - 4.5 + 3.
        [0.0, 0.0, -1.0, -0.5, 0.0],
        # 3 - 4.5 + 2.
        [0.0, 0.0, 0.0, 0.5, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0],
    ]
    # 0 - 3 + 1.
    assert residual[:, :, 1].nonzero().tolist() == [[0, 1]]
    assert residual[0, 1, 1].item() == -2.0
    assert weight[:, :, 0].flatten().unique().tolist() == pytest.approx([0.0, 1 / 6])
    assert (weight > 0.0).sum(dim=(0, 1)).tolist() == [6, 1, 0]


def test_start_by_hand():
    residual = residual_of("start")
    # 1 - 0.5, 3 - 1.5, 4.5 - 3.5; 3 - 1.
    assert residual[:, 0].tolist() == [0.5, 1.5, 1.0, 0.0]
    assert residual[:, 1].tolist() == [2.0, 0.0, 0.0, 0.0]
    assert weight_of("start")[:, 0].tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0.0])


def test_term_by_hand():
    residual = residual_of("term")
    # 0 - 4.5 + 3.5, 1 - 4.5 + 3, 3 - 4.5 + 2; 0 - 3 + 1.
    assert residual[:, 0].tolist() == [-1.0, -0.5, 0.5, 0.0]
    assert residual[:, 1].tolist() == [-2.0, 0.0, 0.0, 0.0]
    assert weight_of("term")[:, 0].tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0.0])


def test_tb_by_hand():
    # 4.5 - 3.5; 3 - 1; nothing.
    assert residual_of("tb").tolist() == [1.0, 2.0, 0.0]
    assert weight_of("tb").tolist() == [1.0, 1.0, 0.0]


# All five


def literal_parts(log_pb: list[float], number: list[float], name: str) -> list[float]:
    """The residuals of one trajectory as the definitions have them, `number` of states 0 ... m."""
    last = len(number) - 1

    def part(i: int, j: int) -> float:
        return number[i] - number[j] - math.fsum(log_pb[i:j])

    pairs = {
        "transition": [(t, t + 1, -1) for t in range(last)],
        "subtb": [(i, j, 1) for i in range(last) for j in range(i + 1, last + 1)],
        "start": [(0, j, -1) for j in range(1, last + 1)],
        "term": [(i, last, 1) for i in range(last)],
        "tb": [(0, last, -1)] if last else [],
    }
    return [sign * part(i, j) for i, j, sign in pairs[name]]


@pytest.mark.parametrize("name", list(N_LOSSES))
@pytest.mark.parametrize("seed", [0, 1])
def test_mean_of_squares_is_that_of_the_definition(name, seed):
    torch.manual_seed(seed)
    lengths = [5, 1, 3, 4, 2]
    mask = torch.arange(6)[:, None] < torch.tensor(lengths)
    log_pb, log_n = torch.randn(6, 5).double(), torch.randn(7, 5).double()
    residual, weight = N_LOSSES[name](log_pb, log_n, mask)
    assert residual.dtype == weight.dtype == torch.float64
    assert residual.shape == weight.shape
    for row, length in enumerate(lengths):
        number = [0.0, *log_n[1:length, row].tolist()]
        parts = literal_parts(log_pb[: length - 1, row].tolist(), number, name)
        expected = math.fsum(part**2 for part in parts) / max(len(parts), 1)
        found = (weight * residual.square())[..., row].sum().item()
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-12)
        counted = residual[..., row][weight[..., row] > 0.0].tolist()
        assert sorted(counted) == pytest.approx(sorted(parts), abs=1e-12)


@pytest.mark.parametrize("name", list(N_LOSSES))
def test_weights_sum_to_one_unless_it_stops_at_once(name):
    residual, weight = N_LOSSES[name](LOG_PB, LOG_N, MASK)
    torch.testing.assert_close(
        weight.reshape(-1, 3).sum(dim=0), torch.tensor([1.0, 1.0, 0.0]).double(), rtol=0.0, atol=1e-6
    )
    assert (residual[weight == 0.0] == 0.0).all()


@pytest.mark.parametrize("name", list(N_LOSSES))
def test_gradient_reaches_what_is_read_only(name):
    log_pb, log_n = LOG_PB.clone().requires_grad_(), LOG_N.clone().requires_grad_()
    residual, weight = N_LOSSES[name](log_pb, log_n, MASK)
    (weight * residual.exp()).sum().backward()
    assert log_pb.grad is not None
    assert log_n.grad is not None
    assert (log_pb.grad != 0.0).tolist() == LOG_PB.isfinite().tolist()
    reads_all = name != "tb"
    assert (log_n.grad[:, 0] != 0.0).tolist() == [False, reads_all, reads_all, True, False]
    assert (log_n.grad[:, 1] != 0.0).tolist() == [False, True, False, False, False]
    assert log_n.grad[:, 2].tolist() == [0.0] * 5


@pytest.mark.parametrize("name", list(N_LOSSES))
def test_zero_for_exact_numbers_and_the_maxent_policy_only(diamond, name):
    even, uneven = diamond([1.0, 2.0, 3.0, 4.0], 0.5), diamond([1.0, 2.0, 3.0, 4.0], 0.3)
    residual, _ = N_LOSSES[name](even.log_pb, even.log_n, even.mask)
    assert residual.abs().max() < 1e-12
    wrong, weight = N_LOSSES[name](uneven.log_pb, uneven.log_n, uneven.mask)
    # The longest two trajectories go through the choice.
    assert ((weight * wrong.square()).reshape(-1, 5).sum(dim=0) > 0.01).tolist() == [False] * 3 + [True] * 2


# P_B from numbers of paths


def test_maxent_log_pb_by_hand():
    log_pb = maxent_log_pb(LOG_N, MASK)
    # 0 - 1, 1 - 3, 3 - 4.5; 0 - 3; nothing at stops.
    assert log_pb[:, 0].tolist() == [-1.0, -2.0, -1.5, 0.0]
    assert log_pb[:, 1].tolist() == [-3.0, 0.0, 0.0, 0.0]
    assert log_pb[:, 2].tolist() == [0.0, 0.0, 0.0, 0.0]


def test_path_log_pb_by_hand():
    log_pb = path_log_pb(LOG_N, MASK)
    assert log_pb[:, 0].tolist() == [0.0, 0.0, 0.0, -4.5]
    assert log_pb[:, 1].tolist() == [0.0, -3.0, 0.0, 0.0]
    assert log_pb[:, 2].tolist() == [0.0, 0.0, 0.0, 0.0]
    torch.testing.assert_close(log_pb.sum(dim=0), maxent_log_pb(LOG_N, MASK).sum(dim=0))


def test_exact_numbers_give_the_policy_of_equally_likely_paths(diamond):
    exact = diamond([1.0, 2.0, 3.0, 4.0], 0.5)
    torch.testing.assert_close(maxent_log_pb(exact.log_n, exact.mask), exact.log_pb)


def test_flow_per_path_balances_with_the_number_at_the_end(diamond):
    exact = diamond([1.0, 2.0, 3.0, 4.0], 0.5)
    log_pb = path_log_pb(exact.log_n, exact.mask)
    flow = exact.log_flow - exact.log_n
    assert detailed_balance(exact.log_pf, log_pb, flow, exact.log_reward, exact.mask).abs().max() < 1e-12
    assert trajectory_balance(exact.log_pf, log_pb, exact.log_reward, exact.log_z).abs().max() < 1e-12
    same_flow = detailed_balance(exact.log_pf, log_pb, exact.log_flow, exact.log_reward, exact.mask)
    assert same_flow[last_transitions(exact.mask)].abs().max() > 0.5


# Likelihoods


def test_negative_log_likelihood_by_hand():
    log_prob = torch.tensor([[-1.0, -0.25], [-2.0, 0.0]], requires_grad=True)
    loss = negative_log_likelihood(log_prob)
    assert loss.tolist() == [3.0, 0.25]
    loss.sum().backward()
    assert (log_prob.grad == -1.0).all()


def test_score_function_by_hand():
    log_prob = torch.tensor([[-1.0, -0.25], [-2.0, 0.0]], requires_grad=True)
    advantage = torch.tensor([2.0, -4.0], requires_grad=True)
    loss = score_function(log_prob, advantage)
    assert loss.tolist() == [6.0, -1.0]
    loss.sum().backward()
    assert log_prob.grad is not None
    assert log_prob.grad.tolist() == [[-2.0, 4.0], [-2.0, 4.0]]
    assert advantage.grad is None


def test_score_function_has_the_gradient_of_the_expected_advantage():
    logits = torch.tensor([0.3, -0.4, 1.1], dtype=torch.float64, requires_grad=True)
    advantage = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    log_prob = logits.log_softmax(0)
    expected = torch.autograd.grad((log_prob.exp() @ advantage), logits, retain_graph=True)[0]
    # All three outcomes, each as often as it comes.
    loss = log_prob.exp().detach() @ score_function(log_prob[None], advantage)
    torch.testing.assert_close(torch.autograd.grad(loss, logits)[0], -expected)
