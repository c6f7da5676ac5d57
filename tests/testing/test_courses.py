"""The environment of menus: counts by hand, both parts of a choice, text, and the contract."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from fluvial.core.enumeration import enumerate_states, labelled_identity
from fluvial.core.environment import Found
from fluvial.core.errors import ConfigError
from fluvial.metrics.exact import exact_flows, exact_log_probability, uniform_log_pb
from fluvial.testing.check_env import ContractError, EnvReport, check_env
from fluvial.testing.courses import Courses, Menu


def menus(*rows: tuple[str, int, bool], n_courses: int = 4) -> Menu:
    """Courses by number such as "02", kind that counts from 1, and whether the stop was taken."""
    has_course = [[str(course) in row for course in range(n_courses)] for row, _, _ in rows]
    return Menu(
        torch.tensor(has_course),
        torch.tensor([kind for _, kind, _ in rows]),
        torch.tensor([is_done for _, _, is_done in rows]),
    )


def legal(mask: Tensor) -> list[list[int]]:
    return [row.nonzero()[:, 0].tolist() for row in mask]


def same(left: Menu, right: Menu) -> bool:
    return all(
        torch.equal(mine, theirs) for mine, theirs in zip(left.tensors(), right.tensors(), strict=True)
    )


@pytest.mark.parametrize(
    ("sizes", "report"),
    [
        # One course: the kind, the item, the stop.
        ((1, 1, 1), EnvReport(True, 4, 1, 3, 3)),
        # 1 + 4 + 6 menus, 10 of them finished too, and half-made ones: 2 from none, 4 * 2 from one course.
        # Transitions: 10 stops, 10 choices of a kind, 2 * 2 + 4 * 3 of an item.
        ((2, 2, 2), EnvReport(True, 31, 10, 36, 5)),
        # Every kind has one item, so it is offered once only: 3 menus, 1 * 2 + 2 * 1 half-made ones.
        ((2, 1, 2), EnvReport(True, 4 + 3 + 4, 3, 3 + 4 + 4, 5)),
    ],
)
def test_contract_with_counts_by_hand(sizes: tuple[int, int, int], report: EnvReport) -> None:
    assert check_env(Courses(*sizes), n_trajectories=64) == report


@pytest.mark.parametrize("sizes", [(1, 3, 3), (4, 1, 2), (3, 2, 4), (3, 3, 3)])
def test_contract_of_other_sizes(sizes: tuple[int, int, int]) -> None:
    n_kinds, n_items, most = sizes
    report = check_env(Courses(*sizes), n_trajectories=64)
    assert report.is_exhaustive
    assert report.n_terminal == sum(math.comb(n_kinds * n_items, count) for count in range(1, most + 1))
    assert report.longest_walk == 2 * most + 1


def test_contract_of_a_size_that_is_sampled() -> None:
    assert not check_env(Courses(20, 2, 5), n_trajectories=64).is_exhaustive


class CountsOrders(Courses):
    """As if the m! ways to a menu were to be corrected for, as those of interchangeable courses are."""

    def log_symmetry(self, states: Menu) -> Tensor:
        return -torch.lgamma(states.has_course.sum(dim=1).double() + 1.0)


def test_another_symmetry_breaks_the_contract() -> None:
    with pytest.raises(ContractError, match=r"clause 3: W exp\(log_symmetry\) is not 1"):
        check_env(CountsOrders(2, 2, 2), n_trajectories=64)


def test_reward_one_gives_every_menu_the_same_probability() -> None:
    env = Courses(2, 2, 2)
    graph = enumerate_states(env)
    flows = exact_flows(graph, env.log_symmetry(graph.states), uniform_log_pb(env, graph))
    p = exact_log_probability(graph, flows.log_pf).exp()[graph.is_terminal]
    assert p.tolist() == pytest.approx([0.1] * 10)


def test_every_state_has_a_key_of_its_own() -> None:
    env = Courses(3, 2, 4)
    graph = enumerate_states(env)
    assert len(graph) == len(enumerate_states(env, identity=labelled_identity))


def test_forward_actions() -> None:
    env = Courses(2, 2, 3)
    states = menus(
        ("", 0, False),  # an empty menu is no object: either kind
        ("", 2, False),  # either item of the second kind
        ("01", 0, False),  # no item is left of the first kind
        ("0", 1, False),  # its first item is taken
        ("013", 0, False),  # three courses are the most
        ("013", 0, True),
    )
    assert legal(env.mask(states)) == [[1, 2], [3, 4], [0, 2], [4], [0], []]
    after = env.step(states, torch.tensor([2, 4, 0, 4, 0, 3]))
    assert same(
        after,
        menus(
            ("", 2, False),
            ("3", 0, False),
            ("01", 0, True),
            ("01", 0, False),
            ("013", 0, True),
            ("013", 0, True),
        ),
    )


def test_backward_actions() -> None:
    env = Courses(2, 2, 3)
    states = menus(("", 0, False), ("0", 2, False), ("03", 0, False), ("03", 0, False), ("03", 0, True))
    assert legal(env.back_mask(states)) == [[], [5], [1, 4], [1, 4], [0]]
    back_actions = torch.tensor([5, 5, 1, 4, 0])
    parents = env.step_back(states, back_actions)
    assert same(
        parents, menus(("", 0, False), ("0", 0, False), ("3", 1, False), ("0", 2, False), ("03", 0, False))
    )
    actions = env.redo(parents[1:], back_actions[1:], states[1:])
    assert actions.tolist() == [2, 3, 4, 0]
    assert env.undo(parents[1:], actions, states[1:]).tolist() == back_actions[1:].tolist()


def test_observation() -> None:
    env = Courses(2, 2, 2)
    seen = env.observe(menus(("", 0, False), ("3", 1, False), ("12", 0, True)))
    assert seen.tolist() == [[0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 0], [0, 1, 1, 0, 0, 0]]
    assert seen.shape[1] == env.observation_width


def test_text() -> None:
    env = Courses(2, 3, 2)
    encoded = env.encode(["1:0 0:1", "0:2"])
    assert encoded.found.tolist() == [Found.ONE, Found.ONE]
    assert same(encoded.states, menus(("13", 0, True), ("2", 0, True), n_courses=6))
    assert env.decode(encoded.states) == ["0:1 1:0", "0:2"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", Found.INVALID),
        ("0", Found.INVALID),
        ("0:0, 0:1", Found.INVALID),
        ("0:0 0:0", Found.INVALID),
        ("2:0", Found.NONE),
        ("0:3", Found.NONE),
        ("0:0 0:1 0:2", Found.NONE),
    ],
)
def test_text_of_no_menu(text: str, found: Found) -> None:
    env = Courses(2, 3, 2)
    encoded = env.encode([text, "0:0"])
    assert encoded.found.tolist() == [found, Found.ONE]
    assert same(encoded.states[:1], env.initial(1))


def test_no_rows() -> None:
    env = Courses(2, 2, 2)
    assert env.encode([]).states.has_course.shape == (0, 4)
    assert env.mask(env.initial(0)).shape == (0, env.n_actions)
    assert env.decode(env.initial(0)) == []


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ((0, 2, 1), "n_kinds = 0, n_items = 2: both must be at least 1"),
        ((2, 0, 1), "n_kinds = 2, n_items = 0: both must be at least 1"),
        ((2, 2, 0), "max_courses = 0: must be 1 to n_kinds . n_items = 4"),
        ((2, 2, 5), "max_courses = 5: must be 1 to n_kinds . n_items = 4"),
        ((2, 31, 3), "2 kinds of 31 items make more menus than 62 bits can number"),
    ],
)
def test_sizes_out_of_range(sizes: tuple[int, int, int], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        Courses(*sizes)


def test_keys_of_the_largest_size_do_not_overflow() -> None:
    env = Courses(2, 30, 60)
    everything = Menu(torch.ones(2, 60, dtype=torch.bool), torch.tensor([0, 0]), torch.tensor([False, True]))
    assert env.key(everything).tolist() == [2 * (2**60 - 1) * 3, 2 * (2**60 - 1) * 3 + 1]
