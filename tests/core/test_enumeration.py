"""Enumeration against counts by hand, and the hash that keeps relabelled states apart."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from fluvial.core.batch import Batch
from fluvial.core.enumeration import (
    enumerate_states,
    enumerate_within,
    find_rows,
    first_occurrences,
    labelled_identity,
)
from fluvial.core.errors import DataError
from fluvial.envs.hypergrid import Grid, Hypergrid
from fluvial.testing.slots import Slots


class Stairs(Hypergrid):
    """One axis climbed by steps of one (action 1) or two (action 2): states lie at several depths."""

    def __init__(self, side: int) -> None:
        super().__init__(1, side)
        self.n_actions = self.n_back_actions = 3

    def mask(self, states: Grid) -> Tensor:
        room = self.side - 1 - states.coordinate
        return torch.cat([torch.ones_like(room) > 0, room >= 1, room >= 2], dim=1) & ~states.is_done[:, None]

    def step(self, states: Grid, actions: Tensor) -> Grid:
        return Grid(states.coordinate + actions[:, None], states.is_done | (actions == 0))


class Circle(Hypergrid):
    """Steps that come back to the origin."""

    def mask(self, states: Grid) -> Tensor:
        return (~states.is_done)[:, None].expand(-1, self.n_actions)

    def step(self, states: Grid, actions: Tensor) -> Grid:
        after = super().step(states, actions)
        return Grid(after.coordinate % self.side, after.is_done)


def test_four_by_four_grid():
    graph = enumerate_states(Hypergrid(2, 4))
    assert len(graph) == 32
    assert int(graph.is_terminal.sum()) == 16
    assert graph.n_edges == 16 + 2 * 4 * 3
    assert int(graph.level.max()) == 7


def test_one_step_grid_in_full():
    graph = enumerate_states(Hypergrid(1, 2))
    assert graph.identity[0].item() == 0
    edges = zip(
        graph.identity[graph.source].tolist(),
        graph.action.tolist(),
        graph.identity[graph.target].tolist(),
        graph.back_action.tolist(),
        strict=True,
    )
    assert sorted(edges) == [(0, 0, 1, 0), (0, 1, 2, 1), (2, 0, 3, 0)]
    assert graph.level.tolist() == [0, 1, 1, 2]


@pytest.mark.parametrize("env", [Hypergrid(3, 4), Slots(3, 2), Stairs(9)], ids=lambda env: type(env).__name__)
def test_order_is_topological(env):
    graph = enumerate_states(env)
    assert bool(env.is_initial(graph.states[:1]))
    assert (graph.level.diff() >= 0).all()
    assert (graph.level[graph.source] < graph.level[graph.target]).all()
    assert (graph.source.diff() >= 0).all()
    assert (graph.source < graph.target).all()


@pytest.mark.parametrize("env", [Hypergrid(2, 5), Slots(3, 2), Stairs(9)], ids=lambda env: type(env).__name__)
def test_edges_are_the_legal_steps(env):
    graph = enumerate_states(env)
    after = env.step(graph.states[graph.source], graph.action)
    assert torch.equal(env.key(after), graph.identity[graph.target])
    assert torch.equal(env.key(graph.states), graph.identity)
    legal = torch.zeros(len(graph), env.n_actions, dtype=torch.bool)
    legal[graph.source, graph.action] = True
    assert torch.equal(legal, env.mask(graph.states))
    assert len(graph.identity.unique()) == len(graph)


def test_levels_are_longest_paths():
    graph = enumerate_states(Stairs(7))
    height = graph.states.coordinate[:, 0]
    assert torch.equal(graph.level, height + graph.is_terminal.long())


def test_equivalent_actions_stay_separate_edges():
    graph = enumerate_states(Slots(2, 2))
    # Keys: empty; {a}, {b}; {aa}, {ab}, {bb}; the last three finished.
    assert len(graph) == 9
    from_empty = graph.source == 0
    assert graph.action[from_empty].tolist() == [1, 2, 3, 4]
    assert graph.target[from_empty].unique(return_counts=True)[1].tolist() == [2, 2]
    assert graph.back_action[from_empty].tolist() == [1, 1, 2, 2]


def test_labelled_identity_keeps_arrangements_apart():
    # 3^2 fillings of two slots, and four finished ones.
    assert len(enumerate_states(Slots(2, 2), identity=labelled_identity)) == 9 + 4


def test_limit_is_respected_and_named():
    assert len(enumerate_states(Hypergrid(2, 4), limit=32)) == 32
    with pytest.raises(DataError, match="Hypergrid has more than limit=31 states"):
        enumerate_states(Hypergrid(2, 4), limit=31)
    assert enumerate_within(Hypergrid(2, 4), 31) is None


def test_cycle_is_an_error():
    with pytest.raises(DataError, match="a path has more than max_steps=3 transitions"):
        enumerate_states(Circle(1, 3))


def test_small_chunks_give_the_same_graph(monkeypatch):
    whole = enumerate_states(Slots(3, 3))
    monkeypatch.setattr("fluvial.core.enumeration.PAIRS_AT_ONCE", 25)
    parts = enumerate_states(Slots(3, 3))
    assert len(parts) == len(whole)
    pairs = [
        torch.stack([graph.identity[graph.source], graph.identity[graph.target]]) for graph in (whole, parts)
    ]
    assert torch.equal(*(pair.unique(dim=1) for pair in pairs))


@dataclasses.dataclass(frozen=True)
class Mixed(Batch):
    number: Tensor
    is_set: Tensor
    weight: Tensor


def test_labelled_identity_sees_every_entry():
    generator = torch.Generator().manual_seed(0)
    base = Mixed(torch.tensor([[1, 2, 0]]), torch.tensor([False]), torch.tensor([[0.5, -0.5]]))
    variants = Mixed(
        torch.tensor([[1, 2, 0], [2, 1, 0], [1, 2, 1], [1, 2, 0], [1, 2, 0], [0, 1, 2], [0, 0, 0]]),
        torch.tensor([False, False, False, True, False, False, False]),
        torch.tensor([[0.5, -0.5]] * 4 + [[-0.5, 0.5]] + [[0.5, -0.5]] * 2),
    )
    identity = labelled_identity(variants)
    assert len(identity.unique()) == 7
    assert identity[0] == labelled_identity(base)[0]
    shuffle = torch.randperm(7, generator=generator)
    assert torch.equal(labelled_identity(variants[shuffle]), identity[shuffle])


def test_labelled_identity_does_not_collide_on_small_numbers():
    points = torch.cartesian_prod(*[torch.arange(40)] * 3)
    identity = labelled_identity(Grid(points, torch.zeros(len(points), dtype=torch.bool)))
    assert len(identity.unique()) == 40**3
    assert labelled_identity(Grid(points[:0], torch.zeros(0, dtype=torch.bool))).tolist() == []


def test_first_occurrences_by_hand():
    assert first_occurrences(torch.tensor([5, -3, 5, 7, -3])).tolist() == [0, 1, 3]
    assert first_occurrences(torch.tensor([], dtype=torch.int64)).tolist() == []


def test_find_rows_by_hand():
    ordered, order = torch.tensor([30, 10, 20]).sort()
    assert find_rows(ordered, order, torch.tensor([20, 30, 20])).tolist() == [2, 0, 2]
    with pytest.raises(DataError, match="2 of 3 states are not among the 3 enumerated ones"):
        find_rows(ordered, order, torch.tensor([10, 15, 99]))
