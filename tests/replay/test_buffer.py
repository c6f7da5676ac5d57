from __future__ import annotations

import math

import pytest
import torch

from fluvial.core.errors import DataError
from fluvial.core.types import Trajectories
from fluvial.envs.hypergrid import Grid, Hypergrid
from fluvial.policy.uniform import UniformPolicy
from fluvial.replay.buffer import Priority, ReplayBuffer
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import rollout

ENV = Hypergrid(2, 8)


def made(n: int, seed: int = 0) -> Trajectories[Grid]:
    condition = Conditions().fixed(n, 1.0)
    return rollout(ENV, UniformPolicy(ENV), condition, torch.Generator().manual_seed(seed))


def filled(capacity: int, n: int, top_share: float = 0.5) -> ReplayBuffer:
    """Objects 0..n-1 with rewards 0..n-1, added seven at a time."""
    buffer = ReplayBuffer(capacity, ENV.max_steps, Priority(top_fraction=0.1, top_share=top_share))
    trajectories = made(n)
    for rows in torch.split(torch.arange(n), 7):
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


def test_the_best_stay() -> None:
    trajectories = made(30)
    buffer = ReplayBuffer(4, ENV.max_steps, Priority(), keeps_best=True)
    worth = [3.0, 9.0, 1.0, 4.0, 2.0, 9.0, 8.0, 0.5]
    for row, reward in enumerate(worth):
        rows = torch.tensor([row])
        buffer.add(trajectories.select(rows), rows, torch.tensor([reward], dtype=torch.float64))
    assert rewards(buffer) == [4.0, 8.0, 9.0, 9.0]
    many = torch.arange(10, 18)
    buffer.add(trajectories.select(many), many, torch.arange(5.0, 13.0, dtype=torch.float64))
    assert rewards(buffer) == [9.0, 10.0, 11.0, 12.0]
    # Of equal rewards the one that was there stays; the newest is the one stored last.
    again = ReplayBuffer(4, ENV.max_steps, Priority(0.25, 1.0, "newest"), keeps_best=True)
    again.load_state_dict(buffer.state_dict())
    drawn = again.draw(20, torch.Generator().manual_seed(0))
    assert set(again.rewards(drawn).tolist()) == {12.0}


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


def with_terms(n: int) -> Trajectories[Grid]:
    """Row i has the terms i and 10 i and was made in step 100 + i."""
    number = torch.arange(n, dtype=torch.float64)
    return made(n).replace(values=torch.stack([number, 10.0 * number], dim=1), born=torch.arange(n) + 100)


def with_losses(capacity: int, n: int) -> ReplayBuffer:
    """Objects 0..n-1 with two terms; all but the last three have the loss 1 + reward."""
    buffer = ReplayBuffer(capacity, ENV.max_steps, Priority(kind="loss"), n_values=2)
    trajectories = with_terms(n)
    for rows in torch.split(torch.arange(n), 7):
        buffer.add(trajectories.select(rows), rows, rows.double())
    slots = (torch.arange(len(buffer)) + n) % len(buffer)
    buffer.record_loss(slots[:-3], 1.0 + buffer.rewards(slots[:-3]))
    return buffer


def losses(buffer: ReplayBuffer) -> dict[float, float]:
    """Reward to loss, of the objects that have one."""
    state = {name: torch.as_tensor(value) for name, value in buffer.state_dict().items()}
    return dict(zip(state["reward"][state["trained"]].tolist(), state["loss"].tolist(), strict=True))


def counts(buffer: ReplayBuffer, n: int = 20_000) -> list[int]:
    return buffer.draw(n, torch.Generator().manual_seed(0)).bincount(minlength=len(buffer)).tolist()


def test_terms_and_births_stay_with_their_object() -> None:
    buffer = with_losses(10, 24)
    slots = torch.tensor([4, 3, 4])
    assert buffer.rewards(slots).tolist() == [14.0, 23.0, 14.0]
    assert buffer.values(slots).tolist() == [[14.0, 140.0], [23.0, 230.0], [14.0, 140.0]]
    stored = buffer.stored(ENV, slots, Conditions().fixed(3, 1.0), "cpu")
    assert stored.values.tolist() == buffer.values(slots).tolist()
    assert stored.born.tolist() == [114, 123, 114]


def test_another_number_of_terms_is_refused() -> None:
    buffer = ReplayBuffer(10, ENV.max_steps, Priority(), n_values=3)
    with pytest.raises(ValueError, match="have 2 reward terms and the replay buffer stores 3"):
        buffer.add(with_terms(4), torch.arange(4), torch.ones(4))
    assert len(buffer) == 0


def test_losses_steer_the_draw() -> None:
    buffer = ReplayBuffer(4, ENV.max_steps, Priority(kind="loss"))
    buffer.add(made(4), torch.arange(4), torch.ones(4))
    assert min(counts(buffer)) > 4700
    buffer.record_loss(torch.tensor([0, 1, 2, 3]), torch.tensor([0.0, 1.0, 0.0, 3.0]))
    first = counts(buffer)
    # The mean weight is 1 and the floor a hundredth of it.
    assert first[0] == pytest.approx(20_000 * 0.01 / 4.04, abs=30)
    assert first[3] == pytest.approx(20_000 * 3.01 / 4.04, abs=200)
    buffer.record_loss(torch.tensor([3]), torch.tensor([0.0]))
    assert counts(buffer)[1] == pytest.approx(20_000 * 1.0025 / 1.01, abs=50)


def test_an_object_drawn_twice_keeps_the_mean_loss() -> None:
    buffer = ReplayBuffer(4, ENV.max_steps, Priority())
    buffer.add(made(4), torch.arange(4), torch.arange(4.0))
    buffer.record_loss(torch.tensor([2, 0, 2, 2]), torch.tensor([1.0, 5.0, 2.0, 6.0], requires_grad=True))
    assert losses(buffer) == {0.0: 5.0, 2.0: 3.0}
    buffer.record_loss(torch.tensor([2]), torch.tensor([0.5]))
    assert losses(buffer) == {0.0: 5.0, 2.0: 0.5}


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_impossible_losses_are_refused(loss: float) -> None:
    buffer = filled(10, 10)
    with pytest.raises(ValueError, match="nan or infinite"):
        buffer.record_loss(torch.tensor([0, 1]), torch.tensor([1.0, loss]))
    assert losses(buffer) == {}


def test_who_takes_the_slot_takes_neither_loss_nor_terms() -> None:
    buffer = with_losses(5, 5)
    assert losses(buffer) == {0.0: 1.0, 1.0: 2.0}
    buffer.add(with_terms(9).select(torch.tensor([8])), torch.tensor([8]), torch.tensor([8.0]))
    assert losses(buffer) == {1.0: 2.0}
    assert buffer.values(torch.tensor([0, 1])).tolist() == [[8.0, 80.0], [1.0, 10.0]]


def test_the_newest_are_those_stored_last() -> None:
    buffer = ReplayBuffer(10, ENV.max_steps, Priority(0.2, 1.0, "newest"))
    trajectories = made(24)
    for rows, newest in zip(
        torch.split(torch.arange(24), 7), [{5, 6}, {12, 13}, {19, 20}, {22, 23}], strict=True
    ):
        buffer.add(trajectories.select(rows), rows, rows.double())
        slots = buffer.draw(50, torch.Generator().manual_seed(0))
        fraction = round(0.2 * len(buffer))
        assert set(buffer.rewards(slots).long().tolist()) == set(sorted(newest)[-fraction:])


def test_nothing_is_drawn_from_nothing() -> None:
    with pytest.raises(ValueError, match="empty replay buffer"):
        ReplayBuffer(10, ENV.max_steps, Priority()).draw(1, torch.Generator())


@pytest.mark.parametrize("n", [6, 17])
def test_a_restored_buffer_goes_on_alike(n: int) -> None:
    first, second = with_losses(10, n), ReplayBuffer(10, ENV.max_steps, Priority(kind="loss"), n_values=2)
    second.add(with_terms(9), torch.arange(9), torch.ones(9))
    second.record_loss(torch.arange(9), torch.ones(9))
    second.load_state_dict(first.state_dict())
    for buffer in (first, second):
        buffer.add(with_terms(4), torch.tensor([n - 1, 40, 41, 42]), torch.arange(40.0, 44.0))
    assert first._slot == second._slot
    assert len(losses(first)) == {6: 3, 17: 4}[n]
    assert first.state_dict().keys() == second.state_dict().keys()
    for name, value in first.state_dict().items():
        assert torch.equal(torch.as_tensor(value), torch.as_tensor(second.state_dict()[name])), name
    assert counts(first) == counts(second)


def test_a_state_is_a_copy() -> None:
    buffer = with_losses(10, 10)
    state = buffer.state_dict()
    before = {name: torch.as_tensor(value).clone() for name, value in state.items()}
    buffer.record_loss(torch.arange(10), torch.full((10,), 9.0))
    others = torch.arange(10, 20)
    buffer.add(with_terms(20).select(others), others, torch.full((10,), 9.0))
    for name, value in state.items():
        assert torch.equal(torch.as_tensor(value), before[name]), name


def test_a_state_without_terms_births_and_losses() -> None:
    new = ("values", "born", "trained", "loss", "offered", "number")
    old = {name: value for name, value in filled(10, 17).state_dict().items() if name not in new}
    assert old.keys() == {"actions", "n_steps", "reward", "key", "added"}
    buffer = ReplayBuffer(10, ENV.max_steps, Priority())
    buffer.load_state_dict(old)
    assert rewards(buffer) == [float(number) for number in range(7, 17)]
    assert losses(buffer) == {}
    assert buffer.n_offered == old["added"]
    stored = buffer.stored(ENV, torch.arange(10), Conditions().fixed(10, 1.0), "cpu")
    assert stored.born.tolist() == [0] * 10
    assert stored.values.shape == (10, 0)
    with pytest.raises(DataError, match="saved with 0 reward terms of each object, and this run needs 2"):
        ReplayBuffer(10, ENV.max_steps, Priority(), n_values=2).load_state_dict(old)
