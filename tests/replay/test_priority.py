from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from fluvial.core.errors import ConfigError
from fluvial.replay.priority import PRIORITIES, Priority, Stock, in_proportion

REWARD = [1.0, 0.0, 7.0, 3.0, 4.0, 2.0, 8.0, 0.0, 5.0, 10.0]
LOSS = [1.0, math.nan, 0.0, -4.0, 2.0, math.nan, -1.0, 0.0, 3.0, 1.0]
BY_AGE = [3, 2, 1, 0, 9, 8, 7, 6, 5, 4]
STOCK = Stock(
    torch.tensor(REWARD, dtype=torch.float64), torch.tensor(LOSS, dtype=torch.float64), torch.tensor(BY_AGE)
)
WEIGHT = [1.0, 4.0, 0.0, 4.0, 2.0, 4.0, 1.0, 0.0, 3.0, 1.0]
"""Sizes of the losses, the unknown ones as large as the largest; their mean is 2, so 0.02 is added to each."""

EXACT = {
    "uniform": [0.1] * 10,
    # The best three are 9, 6 and 2.
    "top": [0.4 / 7, 0.4 / 7, 0.2, 0.4 / 7, 0.4 / 7, 0.4 / 7, 0.2, 0.4 / 7, 0.4 / 7, 0.2],
    "reward": [value / 40.0 for value in REWARD],
    "loss": [(value + 0.02) / 20.2 for value in WEIGHT],
    # The newest three are 3, 2 and 1.
    "newest": [0.4 / 7, 0.2, 0.2, 0.2, 0.4 / 7, 0.4 / 7, 0.4 / 7, 0.4 / 7, 0.4 / 7, 0.4 / 7],
}
CHI_SQUARE_999 = {7: 24.32, 9: 27.88}
"""Degrees of freedom to the value that one sample in a thousand exceeds."""


def drawn(kind: str, n: int, share: float = 0.6, stock: Stock = STOCK, seed: int = 0) -> Tensor:
    priority = Priority(0.3, share, kind)
    return PRIORITIES[kind](stock, n, priority, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", PRIORITIES)
def test_frequencies_are_the_exact_probabilities(kind: str) -> None:
    n, p = 50_000, torch.tensor(EXACT[kind], dtype=torch.float64)
    count = drawn(kind, n).bincount(minlength=10).double()
    possible = p > 0.0
    assert count[~possible].sum() == 0
    distance = ((count - n * p).square() / (n * p))[possible].sum().item()
    assert distance < CHI_SQUARE_999[int(possible.sum()) - 1]


@pytest.mark.parametrize(("kind", "preferred"), [("top", [9, 6, 2]), ("newest", [3, 2, 1])])
@pytest.mark.parametrize(("share", "expected"), [(0.6, 38), (1.0, 64), (0.01, 1)])
def test_the_share_of_the_preferred_is_exact(
    kind: str, preferred: list[int], share: float, expected: int
) -> None:
    assert torch.isin(drawn(kind, 64, share), torch.tensor(preferred)).sum() == expected


@pytest.mark.parametrize("kind", ["top", "newest"])
def test_a_share_of_nothing_is_a_uniform_draw(kind: str) -> None:
    count = drawn(kind, 50_000, share=0.0).bincount(minlength=10)
    assert ((count - 5000).square() / 5000).sum() < CHI_SQUARE_999[9]


@pytest.mark.parametrize("kind", PRIORITIES)
def test_a_single_object_is_drawn_always(kind: str) -> None:
    none = torch.tensor([math.nan], dtype=torch.float64)
    stock = Stock(torch.zeros(1, dtype=torch.float64), none, torch.zeros(1, dtype=torch.int64))
    assert drawn(kind, 5, stock=stock).tolist() == [0, 0, 0, 0, 0]


@pytest.mark.parametrize("kind", PRIORITIES)
def test_the_generator_alone_decides(kind: str) -> None:
    assert drawn(kind, 50).tolist() == drawn(kind, 50).tolist()
    assert drawn(kind, 50).tolist() != drawn(kind, 50, seed=1).tolist()


@pytest.mark.parametrize("kind", PRIORITIES)
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_generator_on_another_device_gives_slots_on_the_cpu(kind: str) -> None:
    slots = PRIORITIES[kind](STOCK, 50, Priority(), torch.Generator("cuda").manual_seed(0))
    assert (slots.device.type, slots.shape, slots.dtype) == ("cpu", (50,), torch.int64)


@pytest.mark.parametrize("loss", [math.nan, 0.0])
def test_without_any_loss_all_are_alike(loss: float) -> None:
    stock = Stock(STOCK.reward, torch.full((10,), loss, dtype=torch.float64), STOCK.by_age)
    count = drawn("loss", 50_000, stock=stock).bincount(minlength=10)
    assert ((count - 5000).square() / 5000).sum() < CHI_SQUARE_999[9]


@pytest.mark.parametrize("scale", [1e-320, 1e308])
def test_proportions_hold_at_any_scale(scale: float) -> None:
    weight = torch.tensor([1.0, 0.0, 1.0, 0.0], dtype=torch.float64) * scale
    count = in_proportion(weight, 10_000, torch.Generator().manual_seed(0)).bincount(minlength=4).tolist()
    assert (count[1], count[3]) == (0, 0)
    assert count[0] == pytest.approx(5000, abs=165)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (0.1, 0.5, "best"),
            "replay priority 'best' is unknown; choose one of uniform, top, reward, loss, newest",
        ),
        ((1.5, 0.5), "top_fraction of a replay priority is 1.5; it must be 0 to 1"),
        ((0.1, math.nan), "top_share of a replay priority is nan; it must be 0 to 1"),
    ],
)
def test_impossible_priorities_are_refused(arguments: tuple[float, float], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}$"):
        Priority(*arguments)
