"""The uniform policy: even over legal actions, finite everywhere."""

from __future__ import annotations

import pytest
import torch

from fluvial.envs.hypergrid import Grid, Hypergrid
from fluvial.policy.uniform import UniformPolicy


def test_is_even_over_legal_actions():
    policy = UniformPolicy(Hypergrid(2, 3))
    output = policy(Grid(torch.tensor([[0, 0], [2, 1], [2, 2]]), torch.tensor([False] * 3)))
    expected = [[1 / 3, 1 / 3, 1 / 3], [1 / 2, 0.0, 1 / 2], [1.0, 0.0, 0.0]]
    torch.testing.assert_close(output.forward.log_probs.exp(), torch.tensor(expected))
    assert output.backward.log_probs.exp()[1].tolist() == pytest.approx([0.0, 0.5, 0.5])
    assert output.log_flow.tolist() == [0.0, 0.0, 0.0]


def test_is_finite_where_nothing_is_legal():
    output = UniformPolicy(Hypergrid(2, 3))(Grid(torch.tensor([[0, 0], [1, 0]]), torch.tensor([False, True])))
    assert output.backward.log_probs[0].isfinite().all()
    assert output.forward.log_probs[1].isfinite().all()


def test_has_no_parameters():
    assert list(UniformPolicy(Hypergrid(1, 2)).parameters()) == []
