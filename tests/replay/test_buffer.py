from __future__ import annotations

import math

import pytest
import torch

from fluvial.core.types import Trajectories
from fluvial.envs.hypergrid import Grid, Hypergrid
from fluvial.policy.uniform import UniformPolicy
from fluvial.replay.buffer import Priority, ReplayBuffer
from fluvial.rewards.conditions import Temperature
from fluvial.sample.rollout import rollout

ENV = Hypergrid(2, 8)


def made(n: int, seed: int = 0) -> Trajectories[Grid]:
    condition = Temperature().fixed(n, 1.0)
    return rollout(ENV, UniformPolicy(ENV), condition, torch.Generator().manual_seed(seed))


def filled(capacity: int, n: int, top_share: float = 0.5) -> ReplayBuffer:
    """Objects 0..n-1 with rewards 0..n-1, added seven at a time."""
    buffer = ReplayBuffer(capacity, ENV.max_steps, Priority(top_fraction=0.1, top_share=top_share))
    trajectories = made(n)
    for rows in torch.arange(n).split(7):
        buffer.add(trajectories.select(rows), rows, rows.double())
    return buffer


def rewards(buffer: ReplayBuffer) -> list[float]:
    return sorted(torch.as_tensor(buffer.state_dict()["reward"]).tolist())


def test_the_oldest_make_room() -> None:
    assert rewards(filled(10, 24)) == [float(number) for number in range(14, 24)]
    assert rewards(filled(3, 24)) == [21.0, 22.0, 23.0]


def test_an_object_is_stored_once_and_again_after_it_left() -> None:
    buffer = filled(10, 10)
    trajectories = made(2)
    buffer.add(trajectories, torch.tensor([3, 3]), torch.tensor([99.0, 98.0]))
    assert rewards(buffer) == [float(number) for number in range(10)]
    buffer.add(trajectories, torch.tensor([50, 51]), torch.tensor([50.0, 51.0]))
    buffer.add(trajectories, torch.tensor([0, 52]), torch.tensor([60.0, 52.0]))
    assert rewards(buffer) == [4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 50.0, 51.0, 52.0, 60.0]


def test_unknown_rewards_are_not_stored() -> None:
    buffer = ReplayBuffer(10, ENV.max_steps, Priority())
    buffer.add(made(3), torch.arange(3), torch.tensor([1.0, math.nan, 2.0]))
    assert rewards(buffer) == [1.0, 2.0]


def test_stored_actions_build_the_objects_again() -> None:
    trajectories = made(30)
    key = ENV.key(trajectories.final_states)
    buffer = ReplayBuffer(100, ENV.max_steps, Priority())
    buffer.add(trajectories, key, key.double())
    slots = torch.arange(len(buffer))
    states, reward = buffer.objects(ENV, slots, "cpu")
    assert ENV.key(states).tolist() == reward.long().tolist()
    assert set(reward.long().tolist()) == set(key.tolist())


@pytest.mark.parametrize(("share", "expected"), [(0.5, 0.5), (1.0, 1.0), (0.0, 0.1)])
def test_the_share_of_the_best_tenth(share: float, expected: float) -> None:
    buffer = filled(100, 100, share)
    reward = buffer.objects(ENV, buffer.draw(20_000, torch.Generator().manual_seed(0)), "cpu")[1]
    assert (reward >= 90).double().mean().item() == pytest.approx(expected, abs=0.01)


def test_a_restored_buffer_goes_on_alike() -> None:
    first, second = filled(10, 17), ReplayBuffer(10, ENV.max_steps, Priority())
    second.load_state_dict(first.state_dict())
    for buffer in (first, second):
        buffer.add(made(4, seed=1), torch.tensor([16, 40, 41, 42]), torch.arange(40.0, 44.0))
    assert first._slot == second._slot
    for name, value in first.state_dict().items():
        assert torch.equal(torch.as_tensor(value), torch.as_tensor(second.state_dict()[name])), name
