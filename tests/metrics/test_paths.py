"""Numbers of ways against binomials, factorials, the formula of fragment trees and recursion over single ways."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from fluvial.chem.vocabulary import Vocabulary
from fluvial.core.batch import Batch
from fluvial.core.enumeration import StateGraph, enumerate_states, labelled_identity
from fluvial.core.environment import Environment
from fluvial.core.errors import DataError
from fluvial.envs.fragments.environment import Fragments
from fluvial.envs.hypergrid import Grid, Hypergrid
from fluvial.metrics.exact import backward_weights, edge_log_pb
from fluvial.metrics.paths import PathCounts, log_path_counts, maxent_log_probs
from fluvial.testing.courses import Courses
from fluvial.testing.slots import Filled, Slots

AnyEnvironment = Environment[Any]
SMALL: dict[str, Callable[[Vocabulary], AnyEnvironment]] = {
    "hypergrid": lambda vocabulary: Hypergrid(2, 4),
    "slots": lambda vocabulary: Slots(3, 2),
    "courses": lambda vocabulary: Courses(2, 2, 2),
    "fragments": lambda vocabulary: Fragments(vocabulary, 3),
    "unmerged fragments": lambda vocabulary: Fragments(vocabulary, 3, merge_symmetric=False),
}
IDENTITIES: dict[str, Callable[[Batch], Tensor] | None] = {"key": None, "labelled": labelled_identity}


@pytest.fixture(params=SMALL)
def env(request: pytest.FixtureRequest, three_fragments: Vocabulary) -> AnyEnvironment:
    return SMALL[request.param](three_fragments)


def ways(env: AnyEnvironment, state: Any) -> Iterator[list[tuple[Any, int]]]:
    """Every backward action sequence from one state to the initial one, as pairs of state and action."""
    if bool(env.is_initial(state)[0]):
        yield []
    for action in env.back_mask(state)[0].nonzero()[:, 0]:
        for rest in ways(env, env.step_back(state, action[None])):
            yield [(state, int(action)), *rest]


def some_rows(length: int, most: int = 60) -> list[int]:
    """Rows all over the levels; the counts of every state take recursion minutes where there are thousands."""
    return list(range(0, length, max(1, length // most)))


@pytest.mark.parametrize("identity", IDENTITIES.values(), ids=IDENTITIES)
def test_counts_are_the_numbers_of_single_ways(
    env: AnyEnvironment, identity: Callable[[Batch], Tensor] | None
) -> None:
    graph = enumerate_states(env, identity=identity)
    counts = log_path_counts(env, graph).exp()
    assert counts.dtype == torch.float64
    rows = some_rows(len(graph))
    single = [len(list(ways(env, graph.states[row : row + 1]))) for row in rows]
    assert counts[rows].tolist() == pytest.approx(single, rel=1e-12)


def test_ways_on_the_grid_are_binomials() -> None:
    env = Hypergrid(2, 4)
    graph = enumerate_states(env)
    expected = [math.comb(x + y, x) for x, y in graph.states.coordinate.tolist()]
    assert log_path_counts(env, graph).exp().tolist() == pytest.approx(expected)
    assert max(expected) == 20


def test_ways_to_menus_and_fillings_are_factorials() -> None:
    courses = Courses(3, 2, 4)
    graph = enumerate_states(courses)
    log_n = log_path_counts(courses, graph)
    n_courses = graph.states.has_course.sum(dim=1).double()
    torch.testing.assert_close(log_n, torch.lgamma(n_courses + 1.0))
    slots = Slots(4, 2)
    filled = enumerate_states(slots)
    n_full = (filled.states.colour > 0).sum(dim=1).double()
    torch.testing.assert_close(log_path_counts(slots, filled), torch.lgamma(n_full + 1.0))


@pytest.mark.parametrize("identity", IDENTITIES.values(), ids=IDENTITIES)
@pytest.mark.parametrize("merge", [True, False])
def test_ways_to_fragment_trees_are_those_of_the_formula(
    three_fragments: Vocabulary, merge: bool, identity: Callable[[Batch], Tensor] | None
) -> None:
    env = Fragments(three_fragments, 4 if merge and identity is None else 3, merge_symmetric=merge)
    graph = enumerate_states(env, identity=identity)
    torch.testing.assert_close(log_path_counts(env, graph), env.log_n(graph.states), rtol=0, atol=1e-12)


def test_a_chain_of_three_fragments_can_be_taken_apart_in_four_ways(three_fragments: Vocabulary) -> None:
    env = Fragments(three_fragments, 3)
    counts = PathCounts(env, enumerate_states(env))
    # First an end, then either of two; first the other end likewise. The middle cannot go first.
    assert counts(env.encode(["CCCCCC"]).states).tolist() == pytest.approx([math.log(4.0)])


def test_any_labelling_is_looked_up_by_key() -> None:
    env = Slots(3, 2)
    counts = PathCounts(env, enumerate_states(env))
    states = Filled(
        torch.tensor([[0, 0, 0], [0, 2, 0], [1, 0, 2], [0, 2, 1], [2, 1, 2], [2, 2, 1]]),
        torch.tensor([False, False, False, False, False, True]),
    )
    assert counts(states).exp().tolist() == pytest.approx([1.0, 1.0, 2.0, 2.0, 6.0, 6.0])
    assert counts(states[:0]).shape == (0,)


def test_states_of_another_environment_are_refused() -> None:
    env = Hypergrid(2, 3)
    counts = PathCounts(env, enumerate_states(env))
    with pytest.raises(DataError, match="1 of 2 states are not among the 18 enumerated ones"):
        counts(Grid(torch.tensor([[1, 1], [3, 3]]), torch.tensor([False, False])))


class LeavesBackward(Hypergrid):
    def back_mask(self, states: Grid) -> Tensor:
        legal = super().back_mask(states)
        legal[:, 1] |= ~states.is_done & (states.coordinate[:, 1] > 0)
        return legal


def test_a_backward_action_that_leaves_the_graph_is_refused() -> None:
    env = LeavesBackward(2, 4)
    with pytest.raises(DataError, match="1 of 4 states are not among the 32 enumerated ones"):
        log_path_counts(env, enumerate_states(env))


@dataclasses.dataclass(frozen=True)
class Numbered(Batch):
    number: Tensor


class TwoLabellings:
    """From 0 to 1, from 0 to labelling 2 and from 1 to labelling 3 of one state."""

    key_of = torch.tensor([0, 1, 2, 2])
    parent = torch.tensor([[0, 0], [0, 0], [0, 1], [0, 1]])
    is_legal = torch.tensor([[False, False], [True, False], [True, True], [True, True]])

    def key(self, states: Numbered) -> Tensor:
        return self.key_of[states.number]

    def back_mask(self, states: Numbered) -> Tensor:
        return self.is_legal[states.number]

    def step_back(self, states: Numbered, back_actions: Tensor) -> Numbered:
        return Numbered(self.parent[states.number, back_actions])


def test_labellings_of_one_state_can_lie_at_several_levels() -> None:
    env: AnyEnvironment = cast(AnyEnvironment, TwoLabellings())
    rows = torch.arange(4)
    edges = torch.tensor([0, 0, 1]), torch.tensor([1, 2, 1]), torch.tensor([1, 2, 3]), torch.tensor([0, 0, 1])
    graph = StateGraph(
        Numbered(rows), rows, torch.zeros(4, dtype=torch.bool), torch.tensor([0, 1, 1, 2]), *edges
    )
    assert log_path_counts(env, graph).exp().tolist() == pytest.approx([1.0, 1.0, 2.0, 2.0])


def test_small_parts_give_the_same_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    env = Courses(3, 2, 3)
    graph = enumerate_states(env)
    whole = log_path_counts(env, graph)
    monkeypatch.setattr("fluvial.metrics.paths.ROWS_AT_ONCE", 3)
    assert torch.equal(log_path_counts(env, graph), whole)


def test_backward_probabilities_on_the_grid_by_hand() -> None:
    env = Hypergrid(2, 4)
    states = Grid(torch.tensor([[0, 0], [2, 1], [0, 3], [2, 1]]), torch.tensor([False, False, False, True]))
    table = maxent_log_probs(env, states, PathCounts(env, enumerate_states(env)))
    # n(2,1) = 3: two ways through (1,1), one through (2,0).
    expected: list[list[float]] = [[0, 0, 0], [0, 2 / 3, 1 / 3], [0, 0, 1], [1, 0, 0]]
    assert table.exp().flatten().tolist() == pytest.approx([p for row in expected for p in row])
    assert bool(table[0].isneginf().all())
    assert table[3, 0].item() == 0.0
    assert table.dtype == torch.float64


def test_backward_probabilities_sum_to_one(env: AnyEnvironment) -> None:
    graph = enumerate_states(env)
    table = maxent_log_probs(env, graph.states, PathCounts(env, graph))
    assert torch.equal(table > -torch.inf, env.back_mask(graph.states))
    total = table.exp().sum(dim=1)
    assert total[0].item() == 0.0
    torch.testing.assert_close(total[1:], torch.ones_like(total[1:]), rtol=0, atol=1e-12)
    assert bool((table[graph.is_terminal, 0] == 0.0).all())


def test_every_way_to_an_object_is_equally_likely(env: AnyEnvironment) -> None:
    graph = enumerate_states(env)
    counts = PathCounts(env, graph)
    final = graph.states[graph.is_terminal][-1:]
    every = list(ways(env, final))
    assert len(every) > 1
    for way in every:
        steps = [float(maxent_log_probs(env, state, counts)[0, action]) for state, action in way]
        assert math.fsum(steps) == pytest.approx(-math.log(len(every)))


def test_formula_and_enumeration_give_the_same_backward_policy(three_fragments: Vocabulary) -> None:
    env = Fragments(three_fragments, 3)
    graph = enumerate_states(env)
    by_formula = maxent_log_probs(env, graph.states, env.log_n)
    by_counts = maxent_log_probs(env, graph.states, PathCounts(env, graph))
    torch.testing.assert_close(by_formula, by_counts, rtol=0, atol=1e-12)


def test_the_symmetry_correction_is_right_for_this_backward_policy_too(env: AnyEnvironment) -> None:
    graph = enumerate_states(env)
    counts = PathCounts(env, graph)
    log_pb = edge_log_pb(env, graph, lambda states: maxent_log_probs(env, states, counts))
    weight = backward_weights(graph, log_pb)[graph.is_terminal]
    corrected = weight * env.log_symmetry(graph.states[graph.is_terminal]).exp()
    torch.testing.assert_close(corrected, torch.ones_like(corrected), rtol=0, atol=1e-9)
