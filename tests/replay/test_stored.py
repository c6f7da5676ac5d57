from __future__ import annotations

from typing import Any

import pytest
import torch

from fluvial.chem.vocabulary import Vocabulary
from fluvial.core.environment import Environment
from fluvial.core.errors import IllegalActionError
from fluvial.core.types import Origin, Trajectories
from fluvial.envs.fragments.environment import Fragments
from fluvial.envs.hypergrid import Hypergrid
from fluvial.policy.uniform import UniformPolicy
from fluvial.replay.buffer import Priority, ReplayBuffer
from fluvial.replay.stored import trajectories_of
from fluvial.rewards.conditions import Conditions
from fluvial.rewards.temperature import Temperature
from fluvial.sample.rollout import retrace, rollout

SAME = ("actions", "back_actions", "mask", "log_symmetry", "born", "values")
"""Fields of a stored trajectory that are those of the trajectory when it was made."""


@pytest.fixture(params=["hypergrid", "fragments"])
def env(request: pytest.FixtureRequest, three_fragments: Vocabulary) -> Environment[Any]:
    return Hypergrid(2, 8) if request.param == "hypergrid" else Fragments(three_fragments, 4)


def made(env: Environment[Any], n: int) -> Trajectories[Any]:
    condition = Conditions().fixed(n, 1.0)
    made = rollout(env, UniformPolicy(env), condition, torch.Generator().manual_seed(0), born=3)
    return made.replace(
        values=torch.stack([torch.arange(n) + 0.25, torch.arange(n) * -1.0], dim=1).double(),
        born=torch.arange(n) + 3,
    )


def test_stored_trajectories_are_those_that_were_made(env: Environment[Any]) -> None:
    originals, n = made(env, 40), 40
    buffer = ReplayBuffer(25, env.max_steps, Priority(), n_values=2)
    for rows in torch.split(torch.arange(n), 7):
        buffer.add(originals.select(rows), rows, rows.double())
    slots = torch.tensor([3, 24, 0, 3, 11])
    rows = buffer.rewards(slots).long()
    assert (rows >= 15).all()
    condition = Conditions(Temperature("uniform", (1.0, 9.0))).sample(5, torch.Generator().manual_seed(1))
    again, expected = buffer.stored(env, slots, condition, "cpu"), originals.select(rows)
    n_times = int(expected.n_steps.max())
    assert again.actions.shape == (n_times, 5)
    for name in SAME:
        field = getattr(expected, name)
        expected_field = field[:n_times] if name in ("actions", "back_actions", "mask") else field
        assert getattr(again, name).dtype == field.dtype, name
        assert torch.equal(getattr(again, name), expected_field), name
    for mine, theirs in zip(again.states.tensors(), expected.states.tensors(), strict=True):
        assert torch.equal(mine, theirs[: n_times + 1])
    assert torch.equal(again.condition.beta, condition.beta)
    assert again.log_reward.isnan().all()
    assert again.log_behaviour.dtype == expected.log_behaviour.dtype
    assert torch.equal(again.log_behaviour.isnan(), again.mask)
    assert again.log_behaviour[~again.mask].eq(0.0).all()
    assert again.origin.tolist() == [Origin.REPLAY] * 5


def test_padding_may_hold_anything() -> None:
    env = Hypergrid(2, 3)
    actions = torch.tensor([[1, 0], [2, 7], [0, -5], [9, 9]])
    condition = Conditions().fixed(2, 1.0)
    again = trajectories_of(
        env, actions, torch.tensor([3, 1]), condition, torch.tensor([5, 6]), torch.zeros(2, 0)
    )
    assert again.actions.tolist() == [[1, 0], [2, 0], [0, 0]]
    assert again.back_actions.tolist() == [[1, 0], [2, 0], [0, 0]]
    assert again.mask.tolist() == [[True, True], [True, False], [True, False]]
    assert again.states.coordinate[:, 0].tolist() == [[0, 0], [1, 0], [1, 1], [1, 1]]
    assert again.states.is_done.tolist() == [[False, False], [False, True], [False, True], [True, True]]


def test_no_trajectories_at_all() -> None:
    none, condition = torch.zeros(0, dtype=torch.int64), Conditions().fixed(0, 1.0)
    again = trajectories_of(Hypergrid(2, 3), none.reshape(4, 0), none, condition, none, torch.zeros(0, 2))
    assert (again.actions.shape, again.states.coordinate.shape) == ((0, 0), (1, 0, 2))


@pytest.mark.parametrize(
    ("actions", "n_steps", "named"),
    [
        (
            [[1, 2], [1, 2], [1, 0], [0, 0]],
            [4, 3],
            "action 1 at step 2 of stored trajectory 0 is not legal here",
        ),
        (
            [[0, 2], [2, 2], [0, 2], [0, 0]],
            [1, 4],
            "action 2 at step 2 of stored trajectory 1 is not legal here",
        ),
        ([[0, 2], [0, 0]], [2, 2], "action 0 at step 1 of stored trajectory 0 is not legal here"),
    ],
)
def test_illegal_actions_are_refused_as_by_retrace(
    actions: list[list[int]], n_steps: list[int], named: str
) -> None:
    env, condition = Hypergrid(2, 3), Conditions().fixed(2, 1.0)
    numbers, lengths = torch.tensor(actions), torch.tensor(n_steps)
    with pytest.raises(IllegalActionError, match=named) as mine:
        trajectories_of(env, numbers, lengths, condition, lengths, torch.zeros(2, 0))
    with pytest.raises(IllegalActionError) as theirs:
        retrace(env, numbers, lengths)
    assert str(mine.value) == str(theirs.value)


def test_an_action_of_a_larger_vocabulary_is_refused() -> None:
    env, one = Hypergrid(2, 3), torch.ones(1, dtype=torch.int64)
    with pytest.raises(
        IllegalActionError, match="action 3 at step 0 of stored trajectory 0 is not legal here"
    ):
        trajectories_of(env, torch.tensor([[3]]), one, Conditions().fixed(1, 1.0), one, torch.zeros(1, 0))
