"""Vectors of rows of bits, wherever the rows lie in memory."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
import torch

from fluvial.core.observation import BitLists
from fluvial.nets.bits import BitEmbedding
from fluvial.policy.model import Model
from fluvial.train.optimizers import OptimizerSettings, build_optimizer

ROWS = ([0, 3, 7], [], [2], [1, 2, 3, 4], [], [5, 7])
"""Bits of six rows, two of them without any."""


def embedding_in(order: list[int] | None) -> BitEmbedding:
    listed = [ROWS[row] for row in order or range(len(ROWS))]
    bits = torch.tensor([bit for row in listed for bit in row], dtype=torch.int16)
    ends = torch.tensor([0, *(len(row) for row in listed)]).cumsum(0)
    torch.manual_seed(0)
    return BitEmbedding(BitLists(bits, ends, 8, None if order is None else torch.tensor(order).argsort()), 4)


def table_of() -> torch.Tensor:
    table = torch.zeros(len(ROWS), 8)
    for row, bits in enumerate(ROWS):
        table[row, bits] = 1.0
    return table


@pytest.mark.parametrize("order", [None, [4, 2, 0, 5, 1, 3]])
def test_some_rows_and_all_rows_are_sums_of_the_vectors_of_their_bits(order: list[int] | None) -> None:
    embedding = embedding_in(order)
    expected = embedding.norm(table_of() @ embedding.table)
    assert torch.allclose(embedding(), expected, atol=1e-6)
    some = torch.tensor([5, 1, 1, 3, 4])
    assert torch.allclose(embedding.of(some), expected[some], atol=1e-6)
    assert embedding.of(some[:0]).shape == (0, 4)


@pytest.mark.parametrize("order", [None, [4, 2, 0, 5, 1, 3]])
def test_products_and_their_gradients_are_those_of_matrices(order: list[int] | None) -> None:
    embedding = embedding_in(order)
    queries = torch.randn(3, 4, generator=torch.Generator().manual_seed(1), requires_grad=True)
    rows, n_rows = torch.tensor([4, 3, 0, 5, 1, 2]), torch.tensor([3, 0, 3])
    found = embedding.products(queries, n_rows, rows)
    table = table_of()[rows]
    scale = table.sum(dim=1).clamp_min(1).rsqrt()
    of_row = queries[torch.tensor([0, 0, 0, 2, 2, 2])]
    expected = (table @ embedding.table * of_row).sum(dim=1) * scale
    assert torch.allclose(found, expected, atol=1e-6)
    weights = torch.arange(1.0, 7.0)
    inputs = (queries, embedding.table)
    gradients = torch.autograd.grad((found * weights).sum(), inputs)
    for gradient, right in zip(
        gradients, torch.autograd.grad((expected * weights).sum(), inputs), strict=True
    ):
        assert torch.allclose(gradient, right, atol=1e-6)


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd"])
def test_what_is_kept_is_made_anew_after_a_step_of_an_optimiser(kind: str) -> None:
    """Its weights tell by their version that they have changed, which fused optimisers do not."""
    embedding = embedding_in(None)
    model = cast(Model, SimpleNamespace(policy=embedding, log_z=torch.nn.Linear(1, 1)))
    optimiser = build_optimizer(model, OptimizerSettings(kind=kind))
    with torch.no_grad():
        before = embedding().clone()
    embedding().square().sum().backward()
    optimiser.step()
    with torch.no_grad():
        kept = embedding()
    assert not torch.allclose(kept, before)
    assert torch.equal(kept, embedding().detach())
