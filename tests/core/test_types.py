"""Trajectories: selection, padding and joining."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from fluvial.core.batch import Batch
from fluvial.core.types import Condition, Origin, Trajectories


@dataclasses.dataclass(frozen=True)
class Count(Batch):
    value: Tensor


def condition(n: int) -> Condition:
    return Condition(torch.zeros(n, 2), torch.ones(n), torch.zeros(n, 0), torch.zeros(n, 0))


def counting(lengths: list[int]) -> Trajectories[Count]:
    """Trajectories that count 10 up at each step, the first from 100, the second from 200 and so on."""
    n, longest = len(lengths), max(lengths)
    step = torch.arange(longest)[:, None]
    mask = step < torch.tensor(lengths)
    start = 100 * torch.arange(1, n + 1)
    value = start + 10 * torch.cat([torch.zeros(1, n, dtype=torch.int64), mask.long().cumsum(0)])
    actions = torch.where(mask & torch.cat([mask[1:], torch.zeros(1, n, dtype=torch.bool)]), 1, 0)
    return Trajectories(
        actions,
        2 * actions,
        mask,
        Count(value),
        condition(n),
        torch.arange(n) + 0.5,
        torch.zeros(n),
        -mask.float(),
        torch.full((n,), int(Origin.POLICY)),
        torch.arange(n),
        torch.arange(n)[:, None] + 0.25,
    )


def test_steps_and_final_states():
    trajectories = counting([3, 1, 2])
    assert trajectories.n_steps.tolist() == [3, 1, 2]
    assert trajectories.final_states.value.tolist() == [130, 210, 320]


def test_select_takes_rows_of_every_field():
    chosen = counting([3, 1, 2]).select(torch.tensor([2, 0]))
    assert chosen.n_steps.tolist() == [2, 3]
    assert chosen.states.value[:, 0].tolist() == [300, 310, 320, 320]
    assert chosen.actions[:, 0].tolist() == [1, 0, 0]
    assert chosen.back_actions[:, 1].tolist() == [2, 2, 0]
    assert chosen.log_reward.tolist() == [2.5, 0.5]
    assert chosen.born.tolist() == [2, 0]
    assert chosen.values.tolist() == [[2.25], [0.25]]
    assert len(chosen.condition) == 2


def test_cat_pads_the_shorter_ones_at_the_end():
    joined = Trajectories.cat([counting([1]), counting([3, 2])])
    assert joined.mask.T.tolist() == [[True, False, False], [True, True, True], [True, True, False]]
    assert joined.actions.T.tolist() == [[0, 0, 0], [1, 1, 0], [1, 0, 0]]
    assert joined.states.value.T.tolist() == [
        [100, 110, 110, 110],
        [100, 110, 120, 130],
        [200, 210, 220, 220],
    ]
    assert joined.log_behaviour.T.tolist() == [[-1.0, 0.0, 0.0], [-1.0, -1.0, -1.0], [-1.0, -1.0, 0.0]]
    assert joined.log_reward.tolist() == [0.5, 0.5, 1.5]
    assert joined.n_steps.tolist() == [1, 3, 2]


def test_cat_then_select_gives_the_part_back():
    part = counting([3, 2])
    again = Trajectories.cat([counting([1]), part]).select(torch.tensor([1, 2]))
    assert again.actions.tolist() == part.actions.tolist()
    assert again.states.value.tolist() == part.states.value.tolist()
    assert again.log_behaviour.tolist() == part.log_behaviour.tolist()


def test_replace_leaves_the_original():
    trajectories = counting([2])
    changed = trajectories.replace(log_reward=torch.tensor([7.0]))
    assert changed.log_reward.tolist() == [7.0]
    assert trajectories.log_reward.tolist() == [0.5]
    assert changed.actions is trajectories.actions
