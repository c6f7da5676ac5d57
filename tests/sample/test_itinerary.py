"""Packed states and moves of rows that end at different times."""

from __future__ import annotations

import torch
from torch import Tensor

from fluvial.envs.hypergrid import Grid
from fluvial.sample.itinerary import Itinerary


def points(*coordinates: int) -> Grid:
    return Grid(torch.tensor(coordinates)[:, None], torch.zeros(len(coordinates), dtype=torch.bool))


def three_rows() -> Itinerary[Grid]:
    """Row 0 makes one move, row 1 none, row 2 two; actions count from 1, backward actions from 11."""
    itinerary = Itinerary(points(0, 10, 20))
    itinerary.add(
        torch.tensor([0, 2]), points(1, 21), torch.tensor([[1, 11], [2, 12]]), torch.tensor([-0.5, -0.25])
    )
    itinerary.add(torch.tensor([2]), points(22), torch.tensor([[3, 13]]), torch.tensor([-0.125]))
    return itinerary


def test_a_row_that_ended_keeps_its_position() -> None:
    # The packed states are 0, 10, 20; 1, 21; 22.
    assert three_rows().positions().tolist() == [[0, 1, 2], [3, 1, 4], [3, 1, 5]]


def test_states_at_the_positions() -> None:
    itinerary = three_rows()
    states = itinerary.states_at(itinerary.positions())
    assert states.coordinate[..., 0].tolist() == [[0, 10, 20], [1, 10, 21], [1, 10, 22]]
    assert itinerary.states_at(torch.tensor([5, 0])).coordinate[:, 0].tolist() == [22, 0]


def test_moves_to_the_positions() -> None:
    itinerary = three_rows()
    positions = itinerary.positions()
    actions, back_actions, log_prob = itinerary.moves_at(positions[1:], positions[1:] != positions[:-1])
    assert actions.tolist() == [[1, 0, 2], [0, 0, 3]]
    assert back_actions.tolist() == [[11, 0, 12], [0, 0, 13]]
    assert log_prob.tolist() == [[-0.5, 0.0, -0.25], [0.0, 0.0, -0.125]]


def test_no_move_at_all() -> None:
    itinerary = Itinerary(points(7, 8))
    positions = itinerary.positions()
    assert positions.tolist() == [[0, 1]]
    assert itinerary.states_at(positions).coordinate.tolist() == [[[7], [8]]]
    moves: tuple[Tensor, ...] = itinerary.moves_at(positions[1:], positions[1:] != positions[:-1])
    assert [tuple(values.shape) for values in moves] == [(0, 2)] * 3
    assert [values.dtype for values in moves] == [torch.int64, torch.int64, torch.float32]
