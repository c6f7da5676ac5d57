"""Reinforcement learning by hand, and that the soft ones end at the exact policy."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from fluvial.losses.reinforcement import actor_critic, baseline, munchausen_error, soft_q_error

NAN = math.nan


def table(rows: list[list[float]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


# Two trajectories, of 2 transitions and of 1.
MASK = torch.tensor([[True, True], [True, False]])

# Actor and critic

LOG_PF = table([[-1.0, -2.0], [-0.5, NAN]])
VALUE = table([[0.5, 1.0], [2.0, NAN]])
REWARD = table([[1.5, 0.5]])[0]
ENTROPY = table([[0.7, 0.2], [0.1, NAN]])


def test_actor_critic_by_hand():
    loss = actor_critic(LOG_PF, VALUE, REWARD, ENTROPY, MASK, 0.1)
    # A = 1, -0.5 and -0.5: 1 + 1 · 1 - 0.07; 0.25 - 0.5 · 0.5 - 0.01; 0.25 - 2 · 0.5 - 0.02.
    assert loss[:, 0].tolist() == pytest.approx([1.93, -0.01])
    assert loss[:, 1].tolist() == pytest.approx([-0.77, 0.0])
    assert loss[1, 1].item() == 0.0


def test_gradients_of_actor_and_critic():
    inputs = [tensor.clone().requires_grad_() for tensor in (LOG_PF, VALUE, ENTROPY)]
    actor_critic(inputs[0], inputs[1], REWARD, inputs[2], MASK, 0.1).sum().backward()
    log_pf, value, entropy = (tensor.grad for tensor in inputs)
    # -A, -2 A and -0.1: the critic has none from the actor's term.
    assert log_pf.tolist() == [[-1.0, 0.5], [0.5, 0.0]]
    assert value.tolist() == [[-2.0, 1.0], [1.0, 0.0]]
    assert entropy.tolist() == [[-0.1, -0.1], [-0.1, 0.0]]


def test_a_perfect_critic_leaves_the_entropy():
    loss = actor_critic(LOG_PF, REWARD.expand(2, 2), REWARD, ENTROPY, MASK, 0.5)
    assert loss[MASK].tolist() == pytest.approx([-0.35, -0.1, -0.05])


# Soft values

Q = table([[1.0, 2.0], [3.0, NAN]])
LOG_PB = table([[-0.5, 0.0], [0.0, NAN]])
SOFT_VALUE = table([[9.0, 9.0], [4.0, NAN], [NAN, NAN]])
LOG_REWARD = table([[2.0, 1.5]])[0]
LOG_PF_OLD = table([[-1.0, -0.4], [-3.0, NAN]])


def test_soft_q_error_by_hand():
    error = soft_q_error(Q, LOG_PB, SOFT_VALUE, LOG_REWARD, MASK)
    # 1 - (-0.5 + 4), 3 - (0 + 2); 2 - (0 + 1.5).
    assert error.tolist() == [[-2.5, 0.5], [1.0, 0.0]]


def test_munchausen_error_by_hand():
    error = munchausen_error(Q, LOG_PB, SOFT_VALUE, LOG_PF_OLD, LOG_REWARD, MASK, 0.25, -2.0)
    # 1 - (-0.375 - 0.25 + 4); 3 - (0 - 0.5 + 0.75 · 2), -3 being below the floor.
    assert error[:, 0].tolist() == pytest.approx([-2.375, 2.0])
    # 2 - (0 - 0.1 + 0.75 · 1.5).
    assert error[:, 1].tolist() == pytest.approx([0.975, 0.0])


def test_no_share_is_soft_q_learning():
    plain = soft_q_error(Q, LOG_PB, SOFT_VALUE, LOG_REWARD, MASK)
    none = munchausen_error(Q, LOG_PB, SOFT_VALUE, LOG_PF_OLD, LOG_REWARD, MASK, 0.0, -2.0)
    assert torch.equal(none, plain)


def test_only_q_gets_gradient():
    inputs = [t.clone().requires_grad_() for t in (Q, LOG_PB, SOFT_VALUE, LOG_PF_OLD, LOG_REWARD)]
    q, log_pb, soft_value, log_pf_old, log_reward = inputs
    errors = [
        soft_q_error(q, log_pb, soft_value, log_reward, MASK),
        munchausen_error(q, log_pb, soft_value, log_pf_old, log_reward, MASK, 0.25, -2.0),
    ]
    for error in errors:
        q.grad = None
        error.sum().backward()
        assert q.grad is not None
        assert q.grad.tolist() == [[1.0, 1.0], [1.0, 0.0]]
        assert all(tensor.grad is None for tensor in inputs[1:])


def test_optimal_soft_q_is_the_flow_of_the_edge(diamond):
    exact = diamond([1.0, 2.0, 3.0, 4.0], 0.3)
    q = exact.log_flow[:-1] + exact.log_pf
    assert soft_q_error(q, exact.log_pb, exact.log_flow, exact.log_reward, exact.mask).abs().max() < 1e-12
    off = soft_q_error(q, exact.log_pb.roll(1, 0), exact.log_flow, exact.log_reward, exact.mask)
    assert off.abs().max() > 0.1


@pytest.mark.parametrize("share", [0.0, 0.15, 0.9])
def test_the_fixed_point_has_the_exact_policy_for_any_share(diamond, share):
    exact = diamond([1.0, 2.0, 3.0, 4.0], 0.3)
    soft_value = (1.0 - share) * exact.log_flow
    q = soft_value[:-1] + exact.log_pf
    inputs = exact.log_pb, soft_value, exact.log_pf, exact.log_reward, exact.mask
    assert munchausen_error(q, *inputs, share, -100.0).abs().max() < 1e-12
    # The rarest action has probability 0.1, so a floor above that is another problem for any share but 0.
    assert (munchausen_error(q, *inputs, share, -1.0).abs().max() > 1e-2) == (share > 0.0)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.8])
def test_iterating_from_anywhere_ends_at_the_exact_policy(diamond, share):
    exact = diamond([1.0, 2.0, 3.0, 4.0], 0.3)
    torch.manual_seed(0)
    q = torch.randn(4, 3).double()
    here = exact.state[:-1].clamp_max(3)
    for _ in range(200):
        value = q.masked_fill(~exact.legal, -math.inf).logsumexp(dim=1)
        values = torch.cat([value, torch.tensor([NAN]).double()])[exact.state]
        log_pf = (q - value[:, None])[here, exact.action]
        taken = q[here, exact.action]
        error = munchausen_error(
            taken, exact.log_pb, values, log_pf, exact.log_reward, exact.mask, share, -100.0
        )
        q = q.index_put((here[exact.mask], exact.action[exact.mask]), (taken - error)[exact.mask])
    policy = q.masked_fill(~exact.legal, -math.inf).softmax(dim=1)
    torch.testing.assert_close(policy, exact.policy)
    assert value[0].item() == pytest.approx((1.0 - share) * math.log(10.0))


# Baseline


def test_baseline_by_hand():
    reward = torch.tensor([1.0, 2.0, 6.0, 5.0, 3.0])
    group = torch.tensor([4, -1, 4, 4, 7])
    # (6 + 5) / 2, alone, (1 + 5) / 2, (1 + 6) / 2, alone.
    assert baseline(reward, group).tolist() == [5.5, 2.0, 3.0, 3.5, 3.0]


def test_baseline_does_not_read_its_own_reward():
    group = torch.zeros(4).long()
    reward = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    slopes = torch.autograd.functional.jacobian(lambda values: baseline(values, group), reward)
    torch.testing.assert_close(slopes, (torch.ones(4, 4) - torch.eye(4)).double() / 3.0)


def test_baseline_leaves_no_advantage_to_one_alone():
    reward = torch.tensor([1e-30, 3e7, -2.5])
    assert torch.equal(baseline(reward, torch.arange(3)), reward)
