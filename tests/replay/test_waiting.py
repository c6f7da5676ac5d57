from __future__ import annotations

from typing import Any

import pytest
import torch

from fluvial.chem.vocabulary import Vocabulary
from fluvial.core.environment import Environment
from fluvial.core.types import Trajectories
from fluvial.envs.fragments.environment import Fragments
from fluvial.envs.hypergrid import Hypergrid
from fluvial.policy.uniform import UniformPolicy
from fluvial.replay.waiting import WaitingRoom
from fluvial.rewards.conditions import Conditions
from fluvial.rewards.temperature import Temperature
from fluvial.sample.rollout import rollout

SAME = ("actions", "back_actions", "mask", "log_symmetry", "log_behaviour", "origin", "born")


@pytest.fixture(params=["hypergrid", "fragments"])
def env(request: pytest.FixtureRequest, three_fragments: Vocabulary) -> Environment[Any]:
    return Hypergrid(2, 8) if request.param == "hypergrid" else Fragments(three_fragments, 4)


def made(env: Environment[Any], n: int, born: int) -> Trajectories[Any]:
    generator = torch.Generator().manual_seed(born)
    condition = Conditions(Temperature("uniform", (1.0, 9.0))).sample(n, generator)
    return rollout(env, UniformPolicy(env), condition, generator, born=born)


def assert_same(found: Trajectories[Any], expected: Trajectories[Any]) -> None:
    n_times = int(expected.n_steps.max())
    for name in SAME:
        wanted = getattr(expected, name)
        assert torch.equal(getattr(found, name), wanted[:n_times] if wanted.dim() == 2 else wanted)
    for mine, theirs in zip(found.states.tensors(), expected.states.tensors(), strict=True):
        assert torch.equal(mine, theirs[: n_times + 1])
    assert torch.equal(found.condition.beta, expected.condition.beta)
    assert torch.equal(found.condition.encoding, expected.condition.encoding)
    assert found.log_reward.isnan().all()


def test_what_waited_comes_back_as_it_was(env: Environment[Any]) -> None:
    room = WaitingRoom()
    parts = [made(env, n, born) for born, n in enumerate((5, 1, 7))]
    for born, part in enumerate(parts):
        room.add(part, [f"{born}.{row}" for row in range(len(part.born))])
    found, texts = room.take(env, [1, 4, 5, 12], "cpu")
    assert texts == ["0.1", "0.4", "1.0", "2.6"]
    assert_same(found, Trajectories.cat(parts).select(torch.tensor([1, 4, 5, 12])))
    assert room.texts == ["0.0", "0.2", "0.3", "2.0", "2.1", "2.2", "2.3", "2.4", "2.5"]
    rest, _ = room.take(env, range(9), "cpu")
    assert_same(rest, Trajectories.cat(parts).select(torch.tensor([0, 2, 3, 6, 7, 8, 9, 10, 11])))
    assert len(room) == 0
    room.add(parts[0], list("abcde"))
    assert_same(room.take(env, range(5), "cpu")[0], parts[0])


def test_a_checkpoint_holds_all_of_it(env: Environment[Any]) -> None:
    room, again = WaitingRoom(), WaitingRoom()
    empty = room.state_dict()
    part = made(env, 6, 2)
    room.add(part, list("abcdef"))
    room.take(env, [0, 3], "cpu")
    again.load_state_dict(room.state_dict())
    assert again.texts == ["b", "c", "e", "f"]
    assert_same(again.take(env, range(4), "cpu")[0], part.select(torch.tensor([1, 2, 4, 5])))
    again.load_state_dict(empty)
    assert len(again) == 0


def test_nothing_is_added_by_nothing() -> None:
    env = Hypergrid(2, 8)
    room = WaitingRoom()
    room.add(made(env, 3, 0).select(torch.zeros(0, dtype=torch.int64)), [])
    assert len(room) == 0
    assert room.state_dict()["condition"] == {}
