"""Rollouts that go on from given states, and trajectories put together from two."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from fluvial.chem.vocabulary import Vocabulary
from fluvial.core.environment import Environment
from fluvial.core.errors import IllegalActionError
from fluvial.core.types import Condition, Origin, Trajectories
from fluvial.envs.fragments.environment import Fragments
from fluvial.envs.hypergrid import Grid, Hypergrid
from fluvial.policy.uniform import UniformPolicy
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import backward_rollout, renumbered, retrace, rollout, spliced
from fluvial.testing.slots import Slots


def condition(n: int) -> Condition:
    return Conditions().fixed(n, 1.0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def equal(one: Any, other: Any) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.tensors(), other.tensors(), strict=True))


def test_goes_on_from_the_given_states() -> None:
    env = Hypergrid(2, 4)
    start = Grid(torch.tensor([[3, 3], [3, 2], [0, 1]] * 20), torch.tensor([False] * 60))
    made = rollout(env, UniformPolicy(env), condition(60), generator(), start=start)
    assert equal(made.states[:1].flatten(), start)
    assert bool(env.is_terminal(made.final_states).all())
    assert bool((made.final_states.coordinate >= start.coordinate).all())
    assert (
        made.n_steps.tolist() == (1 + (made.final_states.coordinate - start.coordinate).sum(dim=1)).tolist()
    )
    # From the far corner only the stop is left.
    assert made.actions[:, ::3].eq(0).all()
    assert made.n_steps[::3].tolist() == [1] * 20
    assert made.log_behaviour[0, ::3].tolist() == [0.0] * 20
    assert bool((made.log_behaviour[0, 1::3] - math.log(0.5)).abs().lt(1e-6).all())
    assert bool((made.log_behaviour[0, 2::3] - math.log(1 / 3)).abs().lt(1e-6).all())


def test_the_initial_states_are_the_default_start() -> None:
    env = Slots(3, 2)
    default = rollout(env, UniformPolicy(env), condition(50), generator(3))
    given = rollout(env, UniformPolicy(env), condition(50), generator(3), start=env.initial(50))
    assert torch.equal(default.actions, given.actions)
    assert equal(default.states, given.states)


def grid_path(actions: list[int], start: list[int], length: int, number: int) -> Trajectories[Grid]:
    """A trajectory on the grid by its actions, with numbers that tell it apart from another."""
    env = Hypergrid(2, 4)
    states = [Grid(torch.tensor([start]), torch.tensor([False]))]
    padded = torch.tensor(actions + [0] * (length - len(actions)))
    for action in padded:
        states.append(env.step(states[-1], action[None]))
    mask = torch.arange(length) < len(actions)
    return Trajectories(
        actions=padded[:, None],
        back_actions=padded[:, None],
        mask=mask[:, None],
        states=Grid.stack(states),
        condition=condition(1),
        log_reward=torch.tensor([number + 0.25]),
        log_symmetry=torch.tensor([number + 0.5]),
        log_behaviour=(-mask.float() * (number + torch.arange(length) / 10))[:, None],
        origin=torch.tensor([number]),
        born=torch.tensor([10 + number]),
        values=torch.tensor([[number + 0.75]], dtype=torch.float64),
    )


def test_splice_by_hand() -> None:
    head = Trajectories.cat(
        [
            grid_path([1, 2, 1, 0], [0, 0], 4, 1),
            grid_path([2, 0], [0, 0], 4, 1),
            grid_path([2, 0], [0, 0], 4, 1),
        ]
    )
    tail = Trajectories.cat(
        [
            grid_path([2, 2, 0], [1, 1], 5, 2),
            grid_path([1, 1, 1, 2, 0], [0, 0], 5, 2),
            grid_path([0], [0, 1], 5, 2),
        ]
    )
    joined = spliced(head, torch.tensor([2, 0, 1]), tail)
    assert joined.actions.T.tolist() == [[1, 2, 2, 2, 0], [1, 1, 1, 2, 0], [2, 0, 0, 0, 0]]
    assert torch.equal(joined.actions, joined.back_actions)
    assert joined.n_steps.tolist() == [5, 5, 2]
    assert joined.mask.T.tolist() == [[True] * 5, [True] * 5, [True, True, False, False, False]]
    torch.testing.assert_close(
        joined.log_behaviour.T,
        -torch.tensor([[1.0, 1.1, 2.0, 2.1, 2.2], [2.0, 2.1, 2.2, 2.3, 2.4], [1.0, 2.0, 0.0, 0.0, 0.0]]),
    )
    assert joined.states.coordinate[:, 0].tolist() == [[0, 0], [1, 0], [1, 1], [1, 2], [1, 3], [1, 3]]
    assert joined.states.coordinate[:, 1].tolist() == [[0, 0], [1, 0], [2, 0], [3, 0], [3, 1], [3, 1]]
    assert joined.states.coordinate[:, 2].tolist() == [[0, 0], [0, 1], [0, 1], [0, 1], [0, 1], [0, 1]]
    assert joined.states.is_done.sum(dim=0).tolist() == [1, 1, 4]
    assert joined.log_reward.tolist() == [2.25] * 3
    assert joined.log_symmetry.tolist() == [2.5] * 3
    assert (joined.origin.tolist(), joined.born.tolist()) == ([2] * 3, [12] * 3)
    assert joined.values.tolist() == [[2.75]] * 3


def test_splice_is_no_longer_than_needed() -> None:
    head, tail = grid_path([1, 2, 1, 0], [0, 0], 9, 1), grid_path([0], [1, 0], 7, 2)
    joined = spliced(head, torch.tensor([1]), tail)
    assert joined.actions.tolist() == [[1], [0]]
    assert len(joined.states.is_done) == 3


def test_splice_of_a_trajectory_with_its_own_end_is_itself() -> None:
    env = Hypergrid(2, 5)
    made = rollout(env, UniformPolicy(env), condition(40), generator())
    cut = torch.randint(1 << 30, (40,), generator=generator()) % made.n_steps
    ends: list[Trajectories[Grid]] = []
    for row, time in enumerate(cut.tolist()):
        one = made.select(torch.tensor([row]))
        ends.append(
            replace(
                one,
                **{
                    name: getattr(one, name)[time:]
                    for name in ("actions", "back_actions", "mask", "states", "log_behaviour")
                },
            )
        )
    again = spliced(made, cut, Trajectories.cat(ends))
    for name in ("actions", "back_actions", "mask", "log_behaviour"):
        assert torch.equal(getattr(again, name), getattr(made, name))
    assert equal(again.states, made.states)


def backward(env: Environment[Any], n: int) -> Trajectories[Any]:
    made = rollout(env, UniformPolicy(env), condition(n), generator(4))
    return backward_rollout(env, None, made.final_states, made.condition, generator(5))


def ends_where_it_says(env: Environment[Any], path: Trajectories[Any]) -> Tensor:
    return env.key(retrace(env, path.actions, path.n_steps)) == env.key(path.final_states)


def test_renumbered_trajectories_can_be_retraced(three_fragments: Vocabulary) -> None:
    env = Fragments(three_fragments, 5)
    path = backward(env, 300)
    with pytest.raises(IllegalActionError):
        ends_where_it_says(env, path)
    again = renumbered(env, path)
    assert bool(ends_where_it_says(env, again).all())
    assert torch.equal(env.key(again.states.flatten()), env.key(path.states.flatten()))
    assert torch.equal(again.mask, path.mask)
    assert not again.actions[~path.mask].any()
    assert not again.back_actions[~path.mask].any()
    for time, live in enumerate(again.mask):
        before, after = again.states[time], again.states[time + 1]
        assert equal(env.step(before, again.actions[time])[live], after[live])
        back = env.step_back(after, again.back_actions[time])
        assert torch.equal(env.key(back[live]), env.key(before[live]))


def test_trajectories_made_forward_keep_their_numbers(three_fragments: Vocabulary) -> None:
    env = Fragments(three_fragments, 4)
    made = rollout(env, UniformPolicy(env), condition(100), generator())
    again = renumbered(env, made)
    assert torch.equal(again.actions, made.actions)
    assert torch.equal(again.back_actions, made.back_actions)
    assert equal(again.states, made.states)
    assert again.origin.tolist() == [Origin.POLICY] * 100


def test_a_state_out_of_reach_is_an_error() -> None:
    env = Hypergrid(2, 4)
    made = rollout(env, UniformPolicy(env), condition(3), generator())
    made.states.coordinate[1:, 0] += 2
    with pytest.raises(IllegalActionError, match="1 of 3 states have no action to the next one"):
        renumbered(env, made)
