"""Records of tensors that share their leading axis."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from fluvial.core.batch import Batch


@dataclasses.dataclass(frozen=True)
class Walkers(Batch):
    place: Tensor
    is_tired: Tensor


def walkers(*places: int) -> Walkers:
    """Rows [p, 10 p], tired where p is odd."""
    column = torch.tensor(places)
    return Walkers(torch.stack([column, 10 * column], dim=1), column % 2 == 1)


def assert_same(left: Walkers, right: Walkers) -> None:
    for mine, theirs in zip(left.tensors(), right.tensors(), strict=True):
        assert mine.dtype == theirs.dtype
        assert mine.tolist() == theirs.tolist()


def test_length_fields_and_device():
    batch = walkers(1, 2, 3)
    assert len(batch) == 3
    assert [tensor.shape for tensor in batch.tensors()] == [(3, 2), (3,)]
    assert batch.device == torch.device("cpu")
    assert_same(batch.to("cpu"), batch)


def test_fields_cannot_be_assigned():
    with pytest.raises(dataclasses.FrozenInstanceError):
        walkers(1).place = torch.zeros(1, 2)


INDICES = {"rows": torch.tensor([2, 0]), "mask": torch.tensor([True, False, True]), "slice": slice(0, 3, 2)}


@pytest.mark.parametrize(("kind", "expected"), [("rows", [7, 5]), ("mask", [5, 7]), ("slice", [5, 7])])
def test_index_acts_on_every_field(kind, expected):
    assert_same(walkers(5, 6, 7)[INDICES[kind]], walkers(*expected))


def test_index_by_time_and_row():
    stacked = Walkers.stack([walkers(1, 2), walkers(3, 4), walkers(5, 6)])
    assert_same(stacked[(torch.tensor([2, 0]), torch.tensor([0, 1]))], walkers(5, 2))


def test_stack_then_flatten_is_cat():
    parts = [walkers(1, 2), walkers(3, 4)]
    stacked = Walkers.stack(parts)
    assert stacked.place.shape == (2, 2, 2)
    assert_same(stacked.flatten(), Walkers.cat(parts))
    assert_same(Walkers.cat(parts), walkers(1, 2, 3, 4))


def test_repeat_keeps_copies_together():
    assert_same(walkers(1, 2).repeat(3), walkers(1, 1, 1, 2, 2, 2))


def test_where_chooses_whole_rows():
    chosen = walkers(1, 2, 3).where(torch.tensor([True, False, True]), walkers(7, 8, 9))
    assert_same(chosen, walkers(1, 8, 3))


def test_put_replaces_rows_in_a_copy():
    batch = walkers(1, 2, 3)
    assert_same(batch.put(torch.tensor([2, 0]), walkers(8, 9)), walkers(9, 2, 8))
    assert_same(batch, walkers(1, 2, 3))
