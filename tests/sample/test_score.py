"""Scores against a loop over single transitions, and what their gradient reaches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from fluvial.chem.vocabulary import Vocabulary
from fluvial.core.categorical import MaskedCategorical
from fluvial.core.enumeration import enumerate_states
from fluvial.core.environment import Environment
from fluvial.core.policy import PolicyOutput
from fluvial.core.types import Condition, Origin, Trajectories
from fluvial.envs.fragments.environment import Fragments
from fluvial.envs.hypergrid import Grid, Hypergrid
from fluvial.policy.tabular import TabularPolicy
from fluvial.sample.rollout import rollout
from fluvial.sample.score import evaluate, log_importance, score
from fluvial.testing.courses import Courses
from fluvial.testing.slots import Slots

ENVIRONMENTS: dict[str, Callable[[Vocabulary], Environment[Any]]] = {
    "hypergrid": lambda vocabulary: Hypergrid(2, 4),
    "slots": lambda vocabulary: Slots(3, 2),
    "courses": lambda vocabulary: Courses(3, 2, 3),
    "fragments": lambda vocabulary: Fragments(vocabulary, 3),
}


@pytest.fixture(params=ENVIRONMENTS)
def policy(request: pytest.FixtureRequest, three_fragments: Vocabulary) -> TabularPolicy[Any]:
    """A policy whose every number is random, in float64."""
    env = ENVIRONMENTS[request.param](three_fragments)
    tabular = TabularPolicy(env, enumerate_states(env)).double()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in tabular.parameters():
            parameter.normal_(generator=generator)
    return tabular


def condition(n: int) -> Condition:
    return Condition(torch.zeros(n, 0), torch.arange(1.0, n + 1.0), torch.zeros(n, 0), torch.zeros(n, 0))


def drawn(policy: TabularPolicy[Any], n: int = 24) -> Trajectories[Any]:
    return rollout(policy.env, policy, condition(n), torch.Generator().manual_seed(1))


def two_walks() -> Trajectories[Any]:
    """On a line of three points: to the end and stop, where that is the one action; and stop at once."""
    coordinate = torch.tensor([[0, 0], [1, 0], [2, 0], [2, 0]])[..., None]
    is_done = torch.tensor([[False, False], [False, True], [False, True], [True, True]])
    moves = torch.tensor([[1, 0], [1, 0], [0, 0]])
    mask = torch.tensor([[True, True], [True, False], [True, False]])
    return Trajectories(
        actions=moves,
        back_actions=moves,
        mask=mask,
        states=Grid(coordinate, is_done),
        condition=condition(2),
        log_reward=torch.full((2,), torch.nan),
        log_symmetry=torch.zeros(2),
        log_behaviour=torch.zeros(3, 2),
        origin=torch.full((2,), Origin.DATA),
        born=torch.zeros(2, dtype=torch.int64),
        values=torch.zeros(2, 0, dtype=torch.float64),
    )


def policy_on_a_line() -> TabularPolicy[Grid]:
    """At 0 the step is three times as likely as the stop, at 1 it is as likely, at 2 it is illegal."""
    env = Hypergrid(1, 3)
    policy = TabularPolicy(env, enumerate_states(env)).double()
    rows = policy.rows(Grid(torch.tensor([[0], [1], [2]]), torch.zeros(3, dtype=torch.bool)))
    logits = [[1.0, 1.0 + math.log(3.0)], [2.0, 2.0], [3.0, 9.0]]
    with torch.no_grad():
        policy.forward_logits[rows] = torch.tensor(logits, dtype=torch.float64)
        policy.log_flow[rows] = torch.tensor([5.0, 6.0, 7.0], dtype=torch.float64)
    return policy


def assert_rows(values: Tensor, expected: list[list[float]]) -> None:
    torch.testing.assert_close(values, torch.tensor(expected, dtype=torch.float64))


def test_two_walks_by_hand() -> None:
    scores = score(policy_on_a_line(), two_walks())
    assert_rows(scores.log_pf, [[math.log(0.75), math.log(0.25)], [math.log(0.5), 0.0], [0.0, 0.0]])
    assert scores.log_pb.tolist() == [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    assert scores.log_flow.tolist() == [[5.0, 5.0], [6.0, 0.0], [7.0, 0.0], [0.0, 0.0]]
    assert scores.mask.tolist() == [[True, True], [True, False], [True, False]]
    assert log_importance(scores).tolist() == pytest.approx([math.log(0.375), math.log(0.25)])


def test_what_else_is_read_off_one_evaluation() -> None:
    evaluation = evaluate(policy_on_a_line(), two_walks())
    # The logit plus the flow output.
    assert_rows(evaluation.action_value(), [[6.0 + math.log(3.0), 6.0], [8.0, 0.0], [10.0, 0.0]])
    at_0, at_1 = 6.0 + math.log(4.0), 8.0 + math.log(2.0)
    assert_rows(evaluation.soft_value(), [[at_0, at_0], [at_1, 0.0], [10.0, 0.0], [0.0, 0.0]])
    stop = math.log(0.25)
    assert_rows(evaluation.log_stop(), [[stop, stop], [math.log(0.5), 0.0], [0.0, 0.0], [0.0, 0.0]])
    spread = 2.0 * math.log(2.0) - 0.75 * math.log(3.0)
    assert_rows(evaluation.entropy(), [[spread, spread], [math.log(2.0), 0.0], [0.0, 0.0]])


@torch.no_grad()
def transition_by_transition(policy: TabularPolicy[Any], made: Trajectories[Any]) -> tuple[Tensor, ...]:
    """log P_F and log P_B, float64 [T, B], and log F, float64 [T + 1, B], of one state at a time."""
    log_pf = torch.zeros(made.mask.shape, dtype=torch.float64)
    log_pb = torch.zeros(made.mask.shape, dtype=torch.float64)
    log_flow = torch.zeros(len(made.mask) + 1, len(made.condition), dtype=torch.float64)
    for row, n_steps in enumerate(made.n_steps.tolist()):
        for time in range(n_steps):
            here, there = (
                made.states[torch.tensor([when]), torch.tensor([row])] for when in (time, time + 1)
            )
            output = policy(here)
            log_pf[time, row] = output.forward.log_probs[0, made.actions[time, row]]
            log_flow[time, row] = output.log_flow[0]
            if time < n_steps - 1:
                log_pb[time, row] = policy(there).backward.log_probs[0, made.back_actions[time, row]]
    return log_pf, log_pb, log_flow


def test_scores_are_those_of_single_transitions(policy: TabularPolicy[Any]) -> None:
    made = drawn(policy)
    log_pf, log_pb, log_flow = transition_by_transition(policy, made)
    assert int(made.n_steps.min()) < int(made.n_steps.max()) or isinstance(policy.env, Slots)
    scores = score(policy, made)
    torch.testing.assert_close(scores.log_pf, log_pf)
    torch.testing.assert_close(scores.log_pb, log_pb)
    torch.testing.assert_close(scores.log_flow, log_flow)
    torch.testing.assert_close(log_importance(scores), (log_pf - log_pb).sum(dim=0))


def test_padding_and_the_stop_are_exactly_zero(policy: TabularPolicy[Any]) -> None:
    made = drawn(policy)
    scores = score(policy, made)
    assert torch.equal(scores.mask, made.mask)
    assert bool((scores.log_pf[~made.mask] == 0).all())
    is_done = torch.stack([policy.env.is_terminal(made.states[time]) for time in range(len(made.mask) + 1)])
    assert bool((scores.log_pb[is_done[1:]] == 0).all())
    assert bool((scores.log_flow[is_done] == 0).all())
    assert bool((scores.log_pf <= 0).all())


def test_gradient_reaches_all_visited_rows_and_no_other(policy: TabularPolicy[Any]) -> None:
    made = drawn(policy, n=3)
    env, n_rows = policy.env, len(policy.log_flow)
    visits = torch.zeros(n_rows, dtype=torch.float64)
    n_choices, n_ways_back = torch.zeros(2, n_rows, dtype=torch.int64)
    for time, live in enumerate(made.mask):
        states = made.states[time][live]
        rows = policy.rows(states)
        visits.index_add_(0, rows, torch.ones(len(rows), dtype=torch.float64))
        n_choices[rows] = env.mask(states).sum(dim=1)
        n_ways_back[rows] = env.back_mask(states).sum(dim=1)
    scores = score(policy, made)
    total = scores.log_pf.sum() + scores.log_pb.sum() + scores.log_flow.sum()
    forward, backward, flow = torch.autograd.grad(
        total, [policy.forward_logits, policy.backward_logits, policy.log_flow]
    )
    assert torch.equal(flow, visits)
    # Where there is one choice its probability is 1 whatever the parameters.
    assert torch.equal(forward.abs().sum(dim=1) > 1e-9, n_choices > 1)
    assert torch.equal(backward.abs().sum(dim=1) > 1e-9, n_ways_back > 1)


class TellsCondition:
    """Counts what it is asked, and gives each state's beta for its flow."""

    learns_backward = True

    def __init__(self) -> None:
        self.n_states: list[int] = []

    def __call__(self, states: Any, condition: Condition) -> PolicyOutput:
        self.n_states.append(len(states))
        uniform = MaskedCategorical(torch.zeros(len(states), 2), torch.ones(len(states), 2, dtype=torch.bool))
        return PolicyOutput(uniform, lambda: uniform, condition.beta)


def test_the_policy_is_asked_once_about_live_states_each_with_its_own_condition() -> None:
    policy = TellsCondition()
    scores = score(policy, two_walks())
    assert policy.n_states == [4]
    assert scores.log_flow.tolist() == [[1.0, 2.0], [1.0, 0.0], [1.0, 0.0], [0.0, 0.0]]


def test_scores_have_the_precision_of_the_policy() -> None:
    env = Hypergrid(1, 3)
    scores = score(TabularPolicy(env, enumerate_states(env)), two_walks())
    values: list[Tensor] = [scores.log_pf, scores.log_pb, scores.log_flow]
    assert [value.dtype for value in values] == [torch.float32] * 3
