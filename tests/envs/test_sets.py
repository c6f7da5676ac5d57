"""Sets by hand, and by the environment checker."""

from __future__ import annotations

import math

import pytest
import torch

from fluvial.core.enumeration import enumerate_states
from fluvial.core.environment import Found
from fluvial.core.errors import ConfigError
from fluvial.envs.sets import Chosen, Sets
from fluvial.metrics.exact import exact_flows, uniform_log_pb
from fluvial.testing.check_env import EnvReport, check_env

ENV = Sets(["a", "b", "c"], max_size=2)
STATES = Chosen(
    torch.tensor([[0, 0, 0], [0, 1, 0], [1, 0, 1], [1, 0, 1], [0, 0, 1]]).bool(),
    torch.tensor([False, False, False, True, True]),
)


@pytest.mark.parametrize(
    ("env", "n_objects"),
    [
        (ENV, 6),  # 3 + 3
        (Sets(5, exact_size=2), 10),
        (Sets(4, min_size=0), 16),
        (Sets(6, max_size=4, min_size=2), 15 + 20 + 15),
        (Sets(["only"]), 1),
        (Sets(70, exact_size=1), 70),
    ],
)
def test_the_contract(env: Sets, n_objects: int) -> None:
    report = check_env(env, n_trajectories=32)
    assert report.is_exhaustive
    assert report.n_terminal == n_objects


def test_report_of_three_items() -> None:
    # Sets of 0, 1 and 2 items: 1 + 3 + 3, and 6 finished. Moves: 3 from the empty set, 2 from each of 3, 6 stops.
    assert check_env(ENV, n_trajectories=32) == EnvReport(True, 13, 6, 15, 3)


def test_a_large_one_is_sampled() -> None:
    assert not check_env(Sets(200, 20), n_trajectories=32, enumerable_limit=50).is_exhaustive


def test_sizes() -> None:
    env = Sets(9, max_size=4)
    assert (env.n_actions, env.n_back_actions, env.max_steps, env.observation_width) == (10, 10, 5, 9)
    assert Sets(["x", "y"]).max_size == 2
    assert (Sets(5, exact_size=3).min_size, Sets(5, 3, exact_size=3).max_size) == (3, 3)


def test_masks() -> None:
    masks = [[0, 1, 1, 1], [1, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert ENV.mask(STATES).int().tolist() == masks
    back_masks = [[0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 1], [1, 0, 0, 0], [1, 0, 0, 0]]
    assert ENV.back_mask(STATES).int().tolist() == back_masks
    assert Sets(3, min_size=2).mask(STATES)[:3, 0].tolist() == [False, False, True]


def test_steps() -> None:
    after = ENV.step(STATES, torch.tensor([3, 1, 0, 2, 0]))
    assert after.member.int().tolist() == [[0, 0, 1], [1, 1, 0], [1, 0, 1], [1, 0, 1], [0, 0, 1]]
    assert after.is_done.tolist() == [False, False, True, True, True]
    before = ENV.step_back(STATES, torch.tensor([1, 2, 3, 0, 0]))
    assert before.member.int().tolist() == [[0, 0, 0], [0, 0, 0], [1, 0, 0], [1, 0, 1], [0, 0, 1]]
    assert before.is_done.tolist() == [False] * 5


def test_what_a_network_sees_and_the_ways_back() -> None:
    assert ENV.observe(STATES)[2].tolist() == [1.0, 0.0, 1.0]
    assert ENV.log_n(STATES).tolist() == pytest.approx([0.0, 0.0, math.log(2), math.log(2), 0.0])
    assert ENV.log_symmetry(STATES).tolist() == [0.0] * 5


def test_texts() -> None:
    assert ENV.decode(STATES) == ["", "b", "a,c", "a,c", "c"]
    encoded = ENV.encode(["a,c", " c , a ", "b", "", "a,b,c", "a,a", "d", "a,", ",", "a b"])
    one, none, invalid = int(Found.ONE), int(Found.NONE), int(Found.INVALID)
    assert encoded.found.tolist() == [one, one, one, none, none] + [invalid] * 5
    members = [[1, 0, 1], [1, 0, 1], [0, 1, 0]] + [[0, 0, 0]] * 7
    assert encoded.states.member.int().tolist() == members
    assert encoded.states.is_done.tolist() == [True] * 3 + [False] * 7
    assert len(ENV.encode([]).states) == 0


def test_the_empty_set_is_an_object_where_it_may_be() -> None:
    env = Sets(["a"], min_size=0)
    encoded = env.encode([""])
    assert encoded.found.tolist() == [Found.ONE]
    assert env.is_terminal(encoded.states).all()
    assert not env.is_initial(encoded.states).any()


def test_the_sum_of_all_products_is_the_elementary_polynomial() -> None:
    # Rewards that are products of 1, 2 and 3 over the members: Z = (1 + 2 + 3) + (2 + 3 + 6) = 17.
    graph = enumerate_states(ENV)
    worth = torch.tensor([1.0, 2.0, 3.0]).log().double()
    flows = exact_flows(graph, graph.states.member.double() @ worth, uniform_log_pb(ENV, graph))
    assert math.exp(flows.log_z) == pytest.approx(17.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"items": []}, "at least one item"),
        ({"items": 0}, "at least one item"),
        ({"items": 3, "max_size": 4}, "the largest set has 4 items; it must have 1 to 3"),
        ({"items": 3, "max_size": 0}, "the largest set has 0 items"),
        ({"items": 3, "max_size": 2, "min_size": 3}, "min_size = 3; it must be from 0 to max_size = 2"),
        ({"items": 3, "min_size": -1}, "min_size = -1"),
        ({"items": 3, "max_size": 3, "exact_size": 2}, "exact_size = 2 and max_size = 3; give one"),
        ({"items": 3, "exact_size": 4}, "the largest set has 4 items"),
        ({"items": ["a", "b", "a"]}, "'a' is given more than once"),
        ({"items": ["a,b"]}, "has a comma"),
        ({"items": ["a", " b"]}, "blanks at its ends"),
        ({"items": ["a", ""]}, "is empty"),
    ],
)
def test_bad_arguments(arguments, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Sets(**arguments)


def test_tensors_stay_on_the_device_of_the_states() -> None:
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
        ENV.is_initial(after),
        ENV.observe(states),
        ENV.log_n(states),
        ENV.key(after),
        ENV.log_symmetry(after),
    ]
    assert {tensor.device.type for tensor in results} == {"meta"}
