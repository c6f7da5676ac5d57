from __future__ import annotations

import torch

from fluvial.core.types import Condition
from fluvial.policy.log_z import GivenLogZ


def test_a_log_z_that_is_told_is_not_learned() -> None:
    told = GivenLogZ()
    condition = Condition(torch.zeros(2, 0), torch.ones(2), log_z=torch.tensor([[3.0], [-1.0]]))
    told.start_from(condition, torch.tensor([9.0, 9.0]))
    assert told(condition).tolist() == [3.0, -1.0]
    assert told.distance(condition).tolist() == [0.0, 0.0]
    assert list(told.parameters()) == []
