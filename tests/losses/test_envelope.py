"""Envelope Q-learning by hand and against a search."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from fluvial.core.errors import ConfigError
from fluvial.losses.envelope import envelope_errors, envelope_value, homotopy

NAN = math.nan


def test_value_by_hand():
    q = torch.tensor(
        [
            # The second preference's first action has the most of the first term.
            [[[1.0, 5.0], [2.0, 0.0]], [[3.0, -1.0], [0.0, 9.0]]],
            # Weighs 1.5 and 1 where legal.
            [[[NAN, 7.0], [1.0, 2.0]], [[8.0, 8.0], [0.0, 2.0]]],
        ]
    )
    mask = torch.tensor([[True, True], [False, True]])
    weights = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    assert envelope_value(q, mask, weights).tolist() == [[3.0, -1.0], [1.0, 2.0]]


def test_value_where_nothing_is_legal_is_nan():
    mask = torch.tensor([[False, False], [True, False]])
    value = envelope_value(torch.ones(2, 3, 2, 2), mask, torch.ones(2, 2))
    assert value[0].isnan().all()
    assert value[1].tolist() == [1.0, 1.0]


def test_values_are_those_of_a_search():
    torch.manual_seed(0)
    q, weights = torch.randn(20, 4, 5, 3), torch.rand(20, 3)
    mask = torch.rand(20, 5) < 0.5
    mask[:, 2] = True
    value = envelope_value(q, mask, weights)
    for row in range(20):
        found = [q[row, j, a] for j in range(4) for a in range(5) if mask[row, a]]
        assert torch.equal(value[row], max(found, key=lambda vector: float(weights[row] @ vector)))


def test_more_preferences_never_lower_the_weighed_value():
    torch.manual_seed(1)
    q, weights, mask = torch.randn(30, 6, 4, 2), torch.rand(30, 2), torch.ones(30, 4).bool()
    weighed = [(envelope_value(q[:, :n], mask, weights) * weights).sum(dim=1) for n in range(1, 7)]
    assert all((more >= fewer).all() for fewer, more in itertools.pairwise(weighed))
    assert (weighed[-1] > weighed[0]).any()


def test_errors_by_hand():
    q = torch.tensor([[1.0, 2.0], [0.0, 0.0]], requires_grad=True)
    target = torch.tensor([[3.0, 1.0], [-2.0, 0.5]], requires_grad=True)
    weights = torch.tensor([[0.25, 0.75], [0.5, 0.5]])
    distance, weighed = envelope_errors(q, target, weights)
    # 4 + 1 and |0.5 - 0.75|; 4 + 0.25 and |-1 + 0.25|.
    assert distance.tolist() == [5.0, 4.25]
    assert weighed.tolist() == [0.25, 0.75]
    (distance + weighed).sum().backward()
    assert q.grad is not None
    # -2 · difference, and the weights with the sign of what is below or above.
    assert q.grad.tolist() == [[-4.0 + 0.25, 2.0 + 0.75], [4.0 + 0.5, -1.0 + 0.5]]
    assert target.grad is None


def test_errors_vanish_at_the_target_and_the_second_sees_the_weighed_sum_only():
    q = torch.tensor([[1.0, 2.0]])
    assert [error.item() for error in envelope_errors(q, q, torch.tensor([[0.3, 0.7]]))] == [0.0, 0.0]
    distance, weighed = envelope_errors(q, torch.tensor([[2.0, 1.0]]), torch.tensor([[0.5, 0.5]]))
    assert (distance.item(), weighed.item()) == (2.0, 0.0)


def test_homotopy_by_hand():
    assert [homotopy(n, 10_000.0) for n in (0, 10_000, 30_000)] == [0.0, 0.5, 0.75]
    shares = [homotopy(n, 100.0) for n in range(0, 10**6, 10**4)]
    assert shares == sorted(shares)
    assert 0.9998 < shares[-1] < 1.0


@pytest.mark.parametrize("decay", [0.0, -1.0, NAN])
def test_homotopy_refuses_a_decay_that_is_not_positive(decay):
    with pytest.raises(ConfigError, match="must be above 0"):
        homotopy(0, decay)
