"""Forward and backward trajectories: what their fields say of each other and of the environment."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from fluvial.chem.vocabulary import Vocabulary
from fluvial.core.batch import Batch
from fluvial.core.categorical import MaskedCategorical
from fluvial.core.enumeration import enumerate_states
from fluvial.core.environment import Environment
from fluvial.core.errors import IllegalActionError
from fluvial.core.policy import PolicyOutput
from fluvial.core.types import Condition, Origin, Trajectories
from fluvial.envs.fragments.environment import Fragments
from fluvial.envs.hypergrid import Grid, Hypergrid
from fluvial.metrics.exact import exact_log_probability, sampling_noise_floor, total_variation
from fluvial.policy.behaviour import Exploration
from fluvial.policy.tabular import TabularPolicy
from fluvial.policy.uniform import UniformPolicy
from fluvial.sample.rollout import as_policy, backward_distribution, backward_rollout, retrace, rollout
from fluvial.testing.courses import Courses
from fluvial.testing.slots import Slots

ENVIRONMENTS: dict[str, Callable[[Vocabulary], Environment[Any]]] = {
    "hypergrid": lambda vocabulary: Hypergrid(2, 4),
    "slots": lambda vocabulary: Slots(3, 2),
    "courses": lambda vocabulary: Courses(3, 2, 3),
    "fragments": lambda vocabulary: Fragments(vocabulary, 3),
}


@pytest.fixture(params=ENVIRONMENTS)
def env(request: pytest.FixtureRequest, three_fragments: Vocabulary) -> Environment[Any]:
    return ENVIRONMENTS[request.param](three_fragments)


def condition(n: int, encoding: Tensor | None = None) -> Condition:
    empty = torch.zeros(n, 0)
    return Condition(empty if encoding is None else encoding, torch.ones(n), empty, empty)


def random_policy(env: Environment[Any]) -> TabularPolicy[Any]:
    policy = TabularPolicy(env, enumerate_states(env)).double()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.normal_(generator=generator)
    return policy


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def same(left: Batch, right: Batch) -> bool:
    return all(
        torch.equal(mine, theirs) for mine, theirs in zip(left.tensors(), right.tensors(), strict=True)
    )


def live_transitions(made: Trajectories[Any]) -> tuple[Any, Tensor, Tensor, Any]:
    """States before, actions, backward actions and states after of all real transitions."""
    live = made.mask.flatten()
    before, after = made.states[:-1].flatten()[live], made.states[1:].flatten()[live]
    return before, made.actions[made.mask], made.back_actions[made.mask], after


def is_legal(mask: Tensor, actions: Tensor) -> bool:
    return bool(mask.gather(1, actions[:, None]).all())


def check_shape_of_time(env: Environment[Any], made: Trajectories[Any]) -> None:
    """Real transitions come first, from the initial state to a terminal one, which is then kept."""
    length = len(made.mask)
    assert torch.equal(made.mask, torch.arange(length)[:, None] < made.n_steps)
    assert length == int(made.n_steps.max())
    assert bool(env.is_initial(made.states[0]).all())
    assert bool(env.is_terminal(made.final_states).all())
    for time in range(length):
        padding = ~made.mask[time]
        assert not bool(env.is_terminal(made.states[time][~padding]).any())
        assert same(made.states[time][padding], made.final_states[padding])
    for values in (made.actions, made.back_actions, made.log_behaviour):
        assert bool((values[~made.mask] == 0).all())


class StopAt:
    """Walks along a line and stops at the point that the condition names; notes what it is asked."""

    learns_backward = True

    def __init__(self) -> None:
        self.asked: list[list[tuple[int, int]]] = []

    def __call__(self, states: Any, condition: Condition) -> PolicyOutput:
        here, there = states.coordinate[:, 0], condition.encoding[:, 0].long()
        self.asked.append(list(zip(here.tolist(), there.tolist(), strict=True)))
        stops = here == there
        forward = MaskedCategorical.uniform(torch.stack([stops, ~stops], dim=1))
        backward = MaskedCategorical.uniform(torch.tensor([[False, True]]).expand(len(here), 2))
        return PolicyOutput(forward, lambda: backward, torch.zeros(len(here)))


TARGETS = torch.tensor([[2.0], [0.0], [1.0]])


def test_three_walks_by_hand() -> None:
    policy = StopAt()
    made = rollout(Hypergrid(1, 4), policy, condition(3, TARGETS), seeded(0))
    assert made.actions.tolist() == [[1, 0, 1], [1, 0, 0], [0, 0, 0]]
    assert made.back_actions.tolist() == [[1, 0, 1], [1, 0, 0], [0, 0, 0]]
    assert made.mask.tolist() == [[True, True, True], [True, False, True], [True, False, False]]
    assert made.states.coordinate[..., 0].tolist() == [[0, 0, 0], [1, 0, 1], [2, 0, 1], [2, 0, 1]]
    assert made.states.is_done.int().tolist() == [[0, 0, 0], [0, 1, 0], [0, 1, 1], [1, 1, 1]]
    # Finished rows are asked about no more, and each row keeps its own condition: (here, there).
    assert policy.asked == [[(0, 2), (0, 0), (0, 1)], [(1, 2), (1, 1)], [(2, 2)]]


def test_fields_of_new_trajectories(env: Environment[Any]) -> None:
    asked = condition(16)
    made = rollout(env, UniformPolicy(env), asked, seeded(0), born=7)
    assert made.log_reward.isnan().all()
    assert made.born.tolist() == [7] * 16
    assert made.origin.tolist() == [Origin.POLICY] * 16
    assert made.condition is asked
    assert torch.equal(made.log_symmetry, env.log_symmetry(made.final_states).float())
    assert made.values.shape == (16, 0)
    types = [made.log_reward, made.log_symmetry, made.log_behaviour, made.origin, made.born, made.values]
    assert [value.dtype for value in types] == [torch.float32] * 3 + [torch.int64] * 2 + [torch.float64]


@pytest.mark.parametrize("behaviour", [as_policy, Exploration(epsilon=0.3, temperature=2.0)])
def test_a_rollout_is_what_the_environment_and_the_policy_say(
    env: Environment[Any], behaviour: Callable[[MaskedCategorical], MaskedCategorical]
) -> None:
    policy = random_policy(env)
    made = rollout(env, policy, condition(32), seeded(1), behaviour)
    check_shape_of_time(env, made)
    before, actions, back_actions, after = live_transitions(made)
    assert is_legal(env.mask(before), actions)
    assert same(env.step(before, actions), after)
    assert is_legal(env.back_mask(after), back_actions)
    assert same(env.step_back(after, back_actions), before)
    expected = behaviour(policy(before).forward).log_prob(actions)
    torch.testing.assert_close(made.log_behaviour[made.mask], expected.detach(), rtol=0, atol=1e-12)


def test_lengths_differ() -> None:
    env = Hypergrid(2, 4)
    made = rollout(env, UniformPolicy(env), condition(64), seeded(2))
    assert int(made.n_steps.min()) == 1
    assert len(made.mask) > 3


def test_the_generator_alone_decides(env: Environment[Any]) -> None:
    policy = random_policy(env)
    torch.manual_seed(0)
    untouched = torch.get_rng_state()
    first, again, other = (rollout(env, policy, condition(32), seeded(seed)) for seed in (3, 3, 4))
    assert torch.equal(first.actions, again.actions)
    assert torch.equal(first.log_behaviour, again.log_behaviour)
    assert first.actions.shape != other.actions.shape or not torch.equal(first.actions, other.actions)
    assert torch.equal(torch.get_rng_state(), untouched)


def test_objects_are_as_frequent_as_the_policy_says() -> None:
    env = Courses(2, 2, 2)
    graph = enumerate_states(env)
    policy = random_policy(env)
    p = exact_log_probability(graph, lambda states: policy(states).forward.log_probs).exp()[graph.is_terminal]
    n = 20_000
    made = rollout(env, policy, condition(n), seeded(5))
    is_same = env.key(made.final_states)[:, None] == graph.identity[graph.is_terminal]
    assert total_variation(is_same.sum(dim=0) / n, p) < 2.0 * sampling_noise_floor(p, n)


def test_walks_from_given_states() -> None:
    start = Grid(torch.tensor([[1], [0], [1]]), torch.zeros(3, dtype=torch.bool))
    policy = StopAt()
    made = rollout(Hypergrid(1, 4), policy, condition(3, TARGETS), seeded(0), start=start)
    assert made.actions.tolist() == [[1, 0, 0], [0, 0, 0]]
    assert made.mask.tolist() == [[True, True, True], [True, False, False]]
    assert made.states.coordinate[..., 0].tolist() == [[1, 0, 1], [2, 0, 1], [2, 0, 1]]
    assert policy.asked == [[(1, 2), (0, 0), (1, 1)], [(2, 2)]]


def test_no_rows() -> None:
    env = Hypergrid(2, 3)
    made = rollout(env, UniformPolicy(env), condition(0), seeded(0))
    assert made.actions.shape == made.log_behaviour.shape == (0, 0)
    assert made.states.coordinate.shape == (1, 0, 2)


def test_backward_walks_by_hand() -> None:
    env = Hypergrid(1, 4)
    final = Grid(torch.tensor([[2], [0], [1]]), torch.tensor([True, True, True]))
    policy = StopAt()
    made = backward_rollout(env, policy, final, condition(3, TARGETS), seeded(0))
    assert made.actions.tolist() == [[1, 0, 1], [1, 0, 0], [0, 0, 0]]
    assert made.back_actions.tolist() == [[1, 0, 1], [1, 0, 0], [0, 0, 0]]
    assert made.mask.tolist() == [[True, True, True], [True, False, True], [True, False, False]]
    assert made.states.coordinate[..., 0].tolist() == [[0, 0, 0], [1, 0, 1], [2, 0, 1], [2, 0, 1]]
    # A finished state has one parent, so the policy is asked from the second transition on.
    assert policy.asked == [[(2, 2), (1, 1)], [(1, 2)]]


def test_backward_distribution_of_finished_and_unfinished_states() -> None:
    states = Grid(torch.tensor([[2], [0], [1]]), torch.tensor([True, True, False]))
    policy = StopAt()
    distribution = backward_distribution(Hypergrid(1, 4), policy, states, condition(3, TARGETS))
    assert distribution.log_probs.exp().tolist() == [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    assert policy.asked == [[(1, 1)]]


@pytest.mark.parametrize("learned", [True, False])
def test_a_backward_rollout_is_a_forward_one_read_backward(env: Environment[Any], learned: bool) -> None:
    policy = random_policy(env).float()
    objects = rollout(env, policy, condition(32), seeded(6)).final_states
    made = backward_rollout(env, policy if learned else None, objects, condition(32), seeded(7))
    check_shape_of_time(env, made)
    assert same(made.final_states, objects)
    before, actions, back_actions, after = live_transitions(made)
    assert is_legal(env.back_mask(after), back_actions)
    assert same(env.step_back(after, back_actions), before)
    assert is_legal(env.mask(before), actions)
    assert torch.equal(env.key(env.step(before, actions)), env.key(after))


def test_fields_of_backward_trajectories(env: Environment[Any]) -> None:
    objects = rollout(env, UniformPolicy(env), condition(16), seeded(8)).final_states
    made = backward_rollout(env, None, objects, condition(16), seeded(9))
    assert made.log_reward.isnan().all()
    assert made.log_behaviour[made.mask].isnan().all()
    assert made.origin.tolist() == [Origin.REPLAY] * 16
    assert made.born.tolist() == [0] * 16
    assert torch.equal(made.log_symmetry, env.log_symmetry(objects).float())
    assert made.values.shape == (16, 0)


class NotToBeAsked:
    learns_backward = False

    def __call__(self, states: Any, condition: Condition) -> PolicyOutput:
        raise AssertionError("P_B is not learned, so there is nothing to ask")


def first_undone_is_first_axis(env: Hypergrid, policy: Any) -> float:
    """Share of the backward walks from (1, 1) that go through (0, 1), of 4000."""
    n = 4000
    final = Grid(torch.ones(n, 2, dtype=torch.int64), torch.ones(n, dtype=torch.bool))
    made = backward_rollout(env, policy, final, condition(n), seeded(10))
    assert made.n_steps.tolist() == [3] * n
    return float((made.back_actions[1] == 1).double().mean())


def test_backward_policy_is_uniform_unless_learned() -> None:
    env = Hypergrid(2, 2)
    four_sigma = 4.0 * math.sqrt(0.25 / 4000)
    assert first_undone_is_first_axis(env, None) == pytest.approx(0.5, abs=four_sigma)
    assert first_undone_is_first_axis(env, NotToBeAsked()) == pytest.approx(0.5, abs=four_sigma)
    learned = TabularPolicy(env, enumerate_states(env))
    with torch.no_grad():
        learned.backward_logits[:, 1] = math.log(9.0)
    four_sigma = 4.0 * math.sqrt(0.09 / 4000)
    assert first_undone_is_first_axis(env, learned) == pytest.approx(0.9, abs=four_sigma)


def test_backward_behaviour_changes_the_choice() -> None:
    env = Hypergrid(2, 3)

    def last_axis_first(distribution: MaskedCategorical) -> MaskedCategorical:
        order = torch.arange(distribution.mask.shape[1]) * 1e3
        return MaskedCategorical(order.expand(distribution.mask.shape), distribution.mask)

    final = Grid(torch.tensor([[2, 2]]), torch.tensor([True]))
    made = backward_rollout(env, None, final, condition(1), seeded(0), last_axis_first)
    assert made.back_actions[:, 0].tolist() == [1, 1, 2, 2, 0]


def test_backward_rollout_is_decided_by_the_generator() -> None:
    env = Hypergrid(3, 4)
    objects = rollout(env, UniformPolicy(env), condition(64), seeded(0)).final_states
    first, again, other = (
        backward_rollout(env, None, objects, condition(64), seeded(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first.back_actions, again.back_actions)
    assert not torch.equal(first.back_actions, other.back_actions)


def test_retrace_rebuilds_the_objects(env: Environment[Any]) -> None:
    made = rollout(env, random_policy(env), condition(32), seeded(11))
    assert same(retrace(env, made.actions, made.n_steps), made.final_states)


def test_retrace_stops_where_it_is_told() -> None:
    actions = torch.tensor([[1, 2, 1, 0], [1, 0, 2, 1], [0, 1, 1, 1]])
    states = retrace(Hypergrid(2, 3), actions, torch.tensor([3, 2, 1, 0]))
    # What follows the last step is padding, whatever it says.
    assert states.coordinate.tolist() == [[2, 0], [0, 1], [1, 0], [0, 0]]
    assert states.is_done.tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("actions", "sentence"),
    [
        ([[1, 1], [0, 1], [0, 1], [0, 0]], "action 1 at step 2 of stored trajectory 1 is not legal here"),
        ([[0, 1], [2, 0], [0, 0], [0, 0]], "action 2 at step 1 of stored trajectory 0 is not legal here"),
    ],
)
def test_retrace_refuses_actions_that_are_not_legal(actions: list[list[int]], sentence: str) -> None:
    with pytest.raises(IllegalActionError, match=sentence):
        retrace(Hypergrid(2, 3), torch.tensor(actions), torch.tensor([2, 4]))
