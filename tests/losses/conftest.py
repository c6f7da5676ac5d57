"""A space of four objects with every quantity of its exact flow written out."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

PATHS = [[0], [0, 1], [0, 2], [0, 1, 3], [0, 2, 3]]
"""States before each transition; 0 is {}, 1 is {a}, 2 is {b}, 3 is {a, b}, and each path ends with a stop."""
LEGAL = torch.tensor([[1, 1, 1], [1, 0, 1], [1, 1, 0], [1, 0, 0]]).bool()
"""Of the actions stop, add a, add b, in each state."""
TERMINAL = 4


@dataclass(frozen=True)
class Diamond:
    """The five trajectories, with lengths 1, 2, 2, 3, 3 and one more time step of padding."""

    state: Tensor
    """int64 [T + 1, B], TERMINAL after the stop and at padding."""
    action: Tensor
    """int64 [T, B]."""
    legal: Tensor
    """bool [4, 3]."""
    mask: Tensor
    log_pf: Tensor
    log_pb: Tensor
    log_flow: Tensor
    """nan at terminal states and padding."""
    log_partial: Tensor
    """Log reward of each state as an object; nan at terminal states and padding."""
    log_stop: Tensor
    """nan at terminal states and padding."""
    log_n: Tensor
    """Log number of ways back; nan at terminal states and padding."""
    log_reward: Tensor
    log_z: Tensor
    policy: Tensor
    """Exact P_F, float64 [4, 3]."""


def exact_diamond(reward: list[float], share: float) -> Diamond:
    """The exact flow for rewards of {}, {a}, {b}, {a, b} where `share` of the last came by way of {a}."""
    bare, a, b, both = reward
    by_a, by_b = share * both, (1.0 - share) * both
    flow = torch.tensor([bare + a + b + both, a + by_a, b + by_b, both], dtype=torch.float64)
    edges = torch.tensor(
        [[bare, a + by_a, b + by_b], [a, 0, by_a], [b, by_b, 0], [both, 0, 0]], dtype=torch.float64
    )
    policy = edges / flow[:, None]
    back = torch.ones(4, 3).double()
    back[1, 2], back[2, 1] = share, 1.0 - share
    state = torch.full((5, 5), TERMINAL)
    action = torch.zeros(4, 5, dtype=torch.int64)
    for row, path in enumerate(PATHS):
        state[: len(path), row] = torch.tensor(path)
        for t, (here, there) in enumerate(itertools.pairwise(path)):
            action[t, row] = there - here
    mask = state[:-1] != TERMINAL

    def at(values: Tensor) -> Tensor:
        return torch.cat([values.double(), torch.tensor([torch.nan]).double()])[state].log()

    def along(values: Tensor) -> Tensor:
        return torch.where(mask, values[state[:-1].clamp_max(3), action], 1.0).log()

    return Diamond(
        state=state,
        action=action,
        legal=LEGAL,
        mask=mask,
        log_pf=along(policy),
        log_pb=along(back),
        log_flow=at(flow),
        log_partial=at(torch.tensor(reward, dtype=torch.float64)),
        log_stop=at(policy[:, 0]),
        log_n=at(torch.tensor([1.0, 1.0, 1.0, 2.0])),
        log_reward=torch.tensor([bare, a, b, both, both]).double().log(),
        log_z=flow[0].log(),
        policy=policy,
    )


@pytest.fixture
def diamond() -> Callable[[list[float], float], Diamond]:
    """Makes a `Diamond` of rewards and the share of the backward policy."""
    return exact_diamond
