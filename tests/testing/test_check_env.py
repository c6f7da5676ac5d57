"""The environment checker passes correct environments and names the clause that each planted error breaks."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from fluvial.core.environment import Encoded
from fluvial.envs.hypergrid import Grid, Hypergrid
from fluvial.testing.check_env import ContractError, EnvReport, check_env
from fluvial.testing.slots import Filled, Slots


@pytest.mark.parametrize(("dimension", "side"), [(1, 2), (1, 5), (2, 4), (3, 3), (2, 20)])
def test_hypergrid_keeps_the_contract(dimension, side):
    report = check_env(Hypergrid(dimension, side), n_trajectories=64)
    assert report.is_exhaustive
    assert report.n_states == 2 * side**dimension
    assert report.n_terminal == side**dimension


def test_report_of_a_small_grid():
    # 4 x 4: 16 points and 16 finished ones; 16 stops and 2 * 4 * 3 moves.
    assert check_env(Hypergrid(2, 4), n_trajectories=64) == EnvReport(True, 32, 16, 40, 7)


def test_a_large_environment_is_sampled():
    report = check_env(Hypergrid(6, 6), n_trajectories=64, enumerable_limit=100)
    assert not report.is_exhaustive
    assert report.longest_walk == 31


@pytest.mark.parametrize(("n_slots", "n_colours"), [(1, 1), (2, 2), (3, 2), (4, 3)])
def test_symmetric_environment_keeps_the_contract(n_slots, n_colours):
    assert check_env(Slots(n_slots, n_colours), n_trajectories=64).is_exhaustive


def test_key_enumeration_serves_where_labelled_states_are_too_many():
    # 4 slots of 2 colours: 3^4 = 81 labelled states and 16 finished ones, but 15 + 5 keys.
    report = check_env(Slots(4, 2), n_trajectories=64, enumerable_limit=50)
    assert report.is_exhaustive
    assert report.n_states == 20


# Planted errors: each class breaks one method.


class LeavesTheGrid(Hypergrid):
    def mask(self, states: Grid) -> Tensor:
        return (~states.is_done)[:, None].expand(-1, self.n_actions).clone()


class WrapsAround(Hypergrid):
    def mask(self, states: Grid) -> Tensor:
        return (~states.is_done)[:, None].expand(-1, self.n_actions).clone()

    def step(self, states: Grid, actions: Tensor) -> Grid:
        after = super().step(states, actions)
        return Grid(after.coordinate % self.side, after.is_done)


class HidesALegalStep(Hypergrid):
    def mask(self, states: Grid) -> Tensor:
        legal = super().mask(states)
        legal[:, 1] &= ~(states.coordinate == 1).all(dim=1)
        return legal


class NoStop(Hypergrid):
    def mask(self, states: Grid) -> Tensor:
        legal = super().mask(states)
        legal[:, 0] = False
        return legal


class StopIsLast(Hypergrid):
    def mask(self, states: Grid) -> Tensor:
        return super().mask(states).roll(-1, dims=1)

    def step(self, states: Grid, actions: Tensor) -> Grid:
        return super().step(states, (actions + 1) % self.n_actions)


class TerminalMayMove(Hypergrid):
    def mask(self, states: Grid) -> Tensor:
        legal = super().mask(states)
        legal[:, 1] |= states.is_done & (states.coordinate[:, 0] == 0)
        return legal


class TerminalIsNotFixed(Hypergrid):
    def step(self, states: Grid, actions: Tensor) -> Grid:
        return Grid(states.coordinate + self._moves(actions), states.is_done | (actions == 0))


class MaskOfNumbers(Hypergrid):
    def mask(self, states: Grid) -> Tensor:
        return super().mask(states).long()


class InitialMovesBack(Hypergrid):
    def step_back(self, states: Grid, back_actions: Tensor) -> Grid:
        return Grid(states.coordinate - self._moves(back_actions), states.is_done & (back_actions != 0))


class UndoIsOffByOne(Hypergrid):
    def undo(self, states: Grid, actions: Tensor, next_states: Grid) -> Tensor:
        return actions + 1


class UndoMixesAxes(Hypergrid):
    def undo(self, states: Grid, actions: Tensor, next_states: Grid) -> Tensor:
        other = torch.where(actions == 0, 0, self.n_actions - actions)
        may = self.back_mask(next_states).gather(1, other[:, None])[:, 0]
        return torch.where(may, other, actions)


class RedoIsWrong(Hypergrid):
    def redo(self, parents: Grid, back_actions: Tensor, states: Grid) -> Tensor:
        return torch.where(back_actions == 0, 0, self.n_actions - back_actions)


class StepBackStays(Hypergrid):
    def step_back(self, states: Grid, back_actions: Tensor) -> Grid:
        return Grid(states.coordinate, states.is_done & (back_actions != 0))


class BackMaskMissesOne(Hypergrid):
    def back_mask(self, states: Grid) -> Tensor:
        legal = super().back_mask(states)
        legal[:, 1] &= states.coordinate[:, 0] != 1
        legal[:, 2] |= ~legal.any(dim=1) & ~self.is_initial(states)
        return legal


class BackMaskHasAnExtra(Hypergrid):
    def back_mask(self, states: Grid) -> Tensor:
        legal = super().back_mask(states)
        legal[:, 1] |= ~states.is_done & (states.coordinate[:, 1] > 0)
        return legal


class StopUndoneTwice(Hypergrid):
    def back_mask(self, states: Grid) -> Tensor:
        legal = super().back_mask(states)
        legal[:, 1] |= states.is_done & (states.coordinate[:, 0] > 0)
        return legal


class KeysCollide(Hypergrid):
    def key(self, states: Grid) -> Tensor:
        return 2 * states.coordinate.sum(dim=1) + states.is_done


class KeyForgetsTheStop(Hypergrid):
    def key(self, states: Grid) -> Tensor:
        return super().key(states) // 2


class EncodesAnotherPoint(Hypergrid):
    def encode(self, texts: Sequence[str]) -> Encoded[Grid]:
        encoded = super().encode(texts)
        return Encoded(Grid(encoded.states.coordinate.flip(1), encoded.states.is_done), encoded.found)


class EncodesUnfinished(Hypergrid):
    def encode(self, texts: Sequence[str]) -> Encoded[Grid]:
        encoded = super().encode(texts)
        return Encoded(
            Grid(encoded.states.coordinate, torch.zeros_like(encoded.states.is_done)), encoded.found
        )


class EncodesRubbish(Hypergrid):
    def encode(self, texts: Sequence[str]) -> Encoded[Grid]:
        encoded = super().encode(texts)
        return Encoded(encoded.states, torch.zeros_like(encoded.found))


class TooFewSteps(Hypergrid):
    def __init__(self, dimension: int, side: int) -> None:
        super().__init__(dimension, side)
        self.max_steps -= 1


class CannotDecode(Hypergrid):
    def decode(self, states: Grid) -> list[str]:
        return [{0: "zero"}[point] for point in states.coordinate[:, 0].tolist()]


class StepsInPlace(Hypergrid):
    def step(self, states: Grid, actions: Tensor) -> Grid:
        states.coordinate.add_(self._moves(actions) * ~states.is_done[:, None])
        return Grid(states.coordinate, states.is_done | (actions == 0))


class DrawsRandomly(Hypergrid):
    def key(self, states: Grid) -> Tensor:
        return super().key(states) + torch.randint(1 << 40, (1,))


class LoopsOverRows(Hypergrid):
    def back_mask(self, states: Grid) -> Tensor:
        rows = [states[row : row + 1] for row in range(len(states))]
        return torch.cat([Hypergrid.back_mask(self, row) for row in rows or [states]])


class RowsDepend(Hypergrid):
    def log_symmetry(self, states: Grid) -> Tensor:
        return super().log_symmetry(states) + states.coordinate.max() * 0.1


class SinglePrecision(Hypergrid):
    def log_symmetry(self, states: Grid) -> Tensor:
        return super().log_symmetry(states).float()


class WrongSymmetry(Hypergrid):
    def log_symmetry(self, states: Grid) -> Tensor:
        return super().log_symmetry(states) + 1e-6 * states.coordinate[:, 0]


BROKEN = {
    LeavesTheGrid: "clause 5: a walk is not finished after max_steps=7",
    WrapsAround: "clause 5: a walk is not finished after max_steps=7",
    HidesALegalStep: "clause 2: redo after a backward action gives an action that mask forbids|"
    "clause 2: a backward edge is not the reverse",
    NoStop: "clause 1: mask allows nothing at a state that is not terminal",
    StopIsLast: "clause 1: action 0 is not stop",
    TerminalMayMove: "clause 1: mask allows an action at the terminal state",
    TerminalIsNotFixed: "clause 1: a terminal state is no fixed point of step",
    MaskOfNumbers: "clause 1: mask is torch.int64",
    InitialMovesBack: "clause 1: step_back moves the initial state",
    UndoIsOffByOne: "clause 2: undo gives a backward action that back_mask forbids|clause 2: step_back",
    UndoMixesAxes: "clause 2: step_back.* is not s .*state coordinate=.*action",
    RedoIsWrong: "clause 2: redo does not invert undo",
    StepBackStays: "clause 2: step_back.* is not s",
    BackMaskMissesOne: "clause 2: undo gives a backward action that back_mask forbids",
    BackMaskHasAnExtra: "clause 2: a backward action leads to a state that no forward path reaches|"
    "clause 2: a backward edge is not the reverse",
    StopUndoneTwice: "clause 1: the one backward action of a terminal state is not 0",
    KeysCollide: "clause 4: different objects have the same key",
    KeyForgetsTheStop: "clause 4: a terminal and an unfinished state have the same key",
    EncodesAnotherPoint: "clause 4: encode.decode.x.. has another key than x",
    EncodesUnfinished: "clause 4: encode gives a state that is not terminal",
    EncodesRubbish: "clause 4: encode takes the text .* for an object",
    TooFewSteps: "clause 5: a walk is not finished after max_steps=6",
    CannotDecode: "clause 5: decode fails at the end of a walk: KeyError",
    StepsInPlace: "clause 6: step changes its argument Grid in place",
    DrawsRandomly: "clause 6: key gives different results for the same arguments",
    LoopsOverRows: "clause 6: back_mask loops over rows",
    RowsDepend: "clause 6: log_symmetry gives a row alone something else than in a batch",
    SinglePrecision: "clause 3: log_symmetry is torch.float32",
    WrongSymmetry: r"clause 3: W exp\(log_symmetry\) is not 1",
}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
def test_planted_error_is_named(broken):
    with pytest.raises(ContractError, match=BROKEN[broken]):
        check_env(broken(2, 4), n_trajectories=64)


IN_SAMPLES = [
    LeavesTheGrid,
    NoStop,
    UndoMixesAxes,
    RedoIsWrong,
    BackMaskMissesOne,
    BackMaskHasAnExtra,
    KeysCollide,
    EncodesAnotherPoint,
    TooFewSteps,
    HidesALegalStep,
]


@pytest.mark.parametrize("broken", IN_SAMPLES, ids=lambda broken: broken.__name__)
def test_planted_error_is_found_in_samples_too(broken):
    with pytest.raises(ContractError, match=r"clause [1-5]: "):
        check_env(broken(2, 4), n_trajectories=64, enumerable_limit=1)


class IgnoresSymmetry(Slots):
    def log_symmetry(self, states: Filled) -> Tensor:
        return torch.zeros(len(states), dtype=torch.float64)


class KeepsArrangementsApart(Slots):
    def key(self, states: Filled) -> Tensor:
        powers = torch.pow(self.n_colours + 1, torch.arange(self.n_slots))
        return 2 * (states.colour * powers).sum(dim=1) + states.is_done


class HidesEquivalentParents(Slots):
    """Offers only the last full slot for emptying, as if equal parents were to be counted once."""

    def back_mask(self, states: Filled) -> Tensor:
        legal = super().back_mask(states)
        return legal & (legal.cumsum(dim=1) == legal.sum(dim=1, keepdim=True))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (IgnoresSymmetry, r"clause 3: .*W 2\.0; log_symmetry 0\.0"),
        (KeepsArrangementsApart, "clause 3: "),
        (HidesEquivalentParents, "clause 2: undo gives a backward action that back_mask forbids"),
    ],
)
def test_planted_symmetry_error_is_named(broken, message):
    with pytest.raises(ContractError, match=message):
        check_env(broken(2, 2), n_trajectories=64)


def test_symmetry_is_checked_by_key_when_labelled_states_are_too_many():
    with pytest.raises(ContractError, match="clause 3: "):
        check_env(IgnoresSymmetry(4, 2), n_trajectories=64, enumerable_limit=50)


def test_the_check_is_reproducible():
    messages = set()
    for _ in range(2):
        with pytest.raises(ContractError) as caught:
            check_env(HidesALegalStep(2, 4), n_trajectories=16, seed=5)
        messages.add(str(caught.value))
    assert len(messages) == 1
