"""The hypergrid by hand; that it keeps the whole contract is tested with the checker."""

from __future__ import annotations

import pytest
import torch

from fluvial.core.enumeration import enumerate_states
from fluvial.core.environment import Found
from fluvial.core.errors import ConfigError
from fluvial.envs.hypergrid import Grid, Hypergrid, corners_reward

ENV = Hypergrid(2, 3)
STATES = Grid(
    torch.tensor([[0, 0], [2, 1], [2, 2], [0, 1], [0, 0]]), torch.tensor([False, False, False, True, True])
)


def test_sizes():
    env = Hypergrid(3, 5)
    assert (env.n_actions, env.n_back_actions, env.max_steps, env.observation_width) == (4, 4, 13, 15)


def test_initial():
    states = ENV.initial(2)
    assert states.coordinate.tolist() == [[0, 0], [0, 0]]
    assert ENV.is_initial(states).tolist() == [True, True]
    assert ENV.is_terminal(states).tolist() == [False, False]


def test_masks():
    assert ENV.mask(STATES).int().tolist() == [[1, 1, 1], [1, 0, 1], [1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert ENV.back_mask(STATES).int().tolist() == [[0, 0, 0], [0, 1, 1], [0, 1, 1], [1, 0, 0], [1, 0, 0]]
    assert ENV.is_initial(STATES).tolist() == [True, False, False, False, False]


def test_step():
    after = ENV.step(STATES, torch.tensor([1, 2, 0, 1, 0]))
    assert after.coordinate.tolist() == [[1, 0], [2, 2], [2, 2], [0, 1], [0, 0]]
    assert after.is_done.tolist() == [False, False, True, True, True]


def test_step_back():
    parents = ENV.step_back(STATES, torch.tensor([2, 1, 2, 0, 0]))
    assert parents.coordinate.tolist() == [[0, 0], [1, 1], [2, 1], [0, 1], [0, 0]]
    assert parents.is_done.tolist() == [False] * 5


def test_observation_and_key():
    assert ENV.observe(STATES)[1].tolist() == [0.0, 0.0, 1.0, 0.0, 1.0, 0.0]
    assert ENV.key(STATES).tolist() == [0, 14, 16, 3, 1]


def test_texts():
    assert ENV.decode(STATES) == ["0,0", "2,1", "2,2", "0,1", "0,0"]
    encoded = ENV.encode(["2,1", " 0 , 2 ", "3,0", "1", "1,2,0", "-1,0", "1;2", "", "two,1", "9" * 30 + ",0"])
    one, none, invalid = int(Found.ONE), int(Found.NONE), int(Found.INVALID)
    assert encoded.found.tolist() == [one, one, none] + [invalid] * 7
    assert encoded.states.coordinate.tolist() == [[2, 1], [0, 2]] + [[0, 0]] * 8
    assert encoded.states.is_done.tolist() == [True, True] + [False] * 8
    assert len(ENV.encode([]).states) == 0


def test_log_symmetry_is_zero():
    assert ENV.log_symmetry(STATES).tolist() == [0.0] * 5


@pytest.mark.parametrize(
    ("dimension", "side", "message"),
    [
        (0, 4, "hypergrid dimension is 0; it must be at least 1"),
        (2, 1, "hypergrid side is 1; it must be at least 2"),
        (62, 2, "has more than 2\\^61 points"),
    ],
)
def test_bad_arguments(dimension, side, message):
    with pytest.raises(ConfigError, match=message):
        Hypergrid(dimension, side)


def test_keys_of_the_largest_grid_do_not_overflow():
    env = Hypergrid(61, 2)
    corner = Grid(torch.ones(1, 61, dtype=torch.int64), torch.tensor([True]))
    assert env.key(corner).item() == 2**62 - 1


def test_corners_reward_of_the_usual_grid():
    points = torch.tensor([[0, 0], [1, 1], [6, 1], [1, 0], [3, 3], [7, 4]])
    # On an axis of 8: |u| is 0.5, 0.357, 0.214, 0.071 and mirrored.
    expected = torch.tensor([0.6, 2.6, 2.6, 0.6, 0.1, 0.1])
    torch.testing.assert_close(corners_reward(points, 8), expected)


def test_corners_reward_sums():
    # 64 cells of 0.1, 16 on the plateau, 4 on the peaks.
    states = enumerate_states(Hypergrid(2, 8))
    total = corners_reward(states.states.coordinate[states.is_terminal], 8).sum().item()
    assert total == pytest.approx(64 * 0.1 + 16 * 0.5 + 4 * 2.0)
    hard = corners_reward(states.states.coordinate[states.is_terminal], 8, r0=0.001, r1=0.0, r2=1.0)
    assert hard.sum().item() == pytest.approx(64 * 0.001 + 4)


def test_corners_reward_excludes_its_bounds_at_both_ends():
    # On an axis of 11, |u| of 1 and 9 is exactly 0.4 and of 2 and 8 exactly 0.3: no peak anywhere.
    axis = torch.arange(11)[:, None]
    reward = corners_reward(axis, 11)
    torch.testing.assert_close(reward, torch.tensor([0.6] * 3 + [0.1] * 5 + [0.6] * 3))


@pytest.mark.parametrize("side", [2, 5, 8, 16, 21, 41])
def test_corners_reward_is_symmetric(side):
    points = torch.cartesian_prod(torch.arange(side), torch.arange(side))
    reward = corners_reward(points, side)
    assert torch.equal(reward, corners_reward(side - 1 - points, side))
    assert torch.equal(reward, corners_reward(points.flip(1), side))


def test_tensors_stay_on_the_device_of_the_states():
    # The meta device refuses to meet tensors of another one.
    states = ENV.initial(3, device="meta")
    actions = torch.zeros(3, dtype=torch.int64, device="meta")
    after = ENV.step(states, actions)
    results = [
        *after.tensors(),
        *ENV.step_back(after, ENV.undo(states, actions, after)).tensors(),
        ENV.mask(states),
        ENV.back_mask(after),
        ENV.redo(states, actions, after),
        ENV.is_terminal(after),
        ENV.is_initial(after),
        ENV.observe(states),
        ENV.key(after),
        ENV.log_symmetry(after),
        corners_reward(after.coordinate, 3),
    ]
    assert {tensor.device.type for tensor in results} == {"meta"}


def test_ways_back_are_multinomial():
    env = Hypergrid(3, 4)
    states = Grid(torch.tensor([[0, 0, 0], [3, 0, 0], [2, 1, 1]]), torch.tensor([False, False, True]))
    # 4! / (2! 1! 1!) = 12.
    assert env.log_n(states).exp().tolist() == pytest.approx([1.0, 1.0, 12.0])
