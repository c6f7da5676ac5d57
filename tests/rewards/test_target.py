from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from fluvial.core.errors import ConfigError, RewardError
from fluvial.core.types import Condition
from fluvial.rewards.target import (
    Cone,
    Target,
    chebyshev,
    cosines,
    log_reward,
    weighted_product,
    weighted_sum,
)

VALUES = torch.tensor([[0.2, 0.8], [1.0, 0.5], [0.0, 0.4]], dtype=torch.float64)
WEIGHTS = torch.tensor([[0.25, 0.75], [0.5, 0.5], [0.0, 1.0]], dtype=torch.float64)


def asked(
    beta: list[float],
    weights: Tensor | None = None,
    focus: Tensor | None = None,
    target: Tensor | None = None,
) -> Condition:
    nothing = torch.zeros(len(beta), 0)
    parts = [nothing if part is None else part.float() for part in (weights, focus, target)]
    return Condition(nothing, torch.tensor(beta), *parts)


def test_scalarisations_by_hand() -> None:
    assert weighted_sum(VALUES, WEIGHTS).tolist() == pytest.approx([0.65, 0.75, 0.4])
    assert weighted_product(VALUES, WEIGHTS).tolist() == pytest.approx(
        [0.2**0.25 * 0.8**0.75, math.sqrt(0.5), 0.4]
    )
    # 1 - max(1/3 0.8, 1 0.2), 1 - max(0, 0.5), 1 - max(0, 0.6).
    assert chebyshev(VALUES, WEIGHTS).tolist() == pytest.approx([1 - 0.8 / 3, 0.5, 0.4])


@pytest.mark.parametrize("name", ["weighted_sum", "weighted_product", "chebyshev"])
def test_a_missing_term_has_no_target_even_without_weight(name: str) -> None:
    values = torch.tensor([[math.nan, 0.5]], dtype=torch.float64)
    target = Target(name, 1e-4)(torch.ones(1), values, asked([1.0], torch.tensor([[0.0, 1.0]])))
    assert bool(target.isnan().all())


@pytest.mark.parametrize("name", ["weighted_sum", "weighted_product", "chebyshev"])
def test_all_weight_on_one_term_is_that_term(name: str) -> None:
    weights = torch.eye(2)
    values = torch.tensor([[0.3, 0.9], [0.3, 0.9]], dtype=torch.float64)
    target = Target(name)(torch.full((2,), math.nan), values, asked([1.0, 1.0], weights))
    assert target.exp().tolist() == pytest.approx([0.3, 0.9])


def test_the_target_is_the_scalarised_reward_to_the_power_beta() -> None:
    weights = torch.tensor([[0.25, 0.75], [1.0, 0.0], [0.0, 1.0]])
    values = torch.tensor([[4.0, 8.0]], dtype=torch.float64).expand(3, 2)
    target = Target()(torch.full((3,), math.nan), values, asked([2.0] * 3, weights))
    # (1/4 4 + 3/4 8)^2 = 49, 4^2 and 8^2.
    torch.testing.assert_close(target.exp(), torch.tensor([49.0, 16.0, 64.0]))


def test_the_floor_is_of_the_scalarised_reward() -> None:
    values = torch.tensor([[0.0, 0.0], [1e-9, 0.0]], dtype=torch.float64)
    target = Target(floor=1e-4)(torch.ones(2), values, asked([2.0, 1.0], torch.full((2, 2), 0.5)))
    assert target.tolist() == pytest.approx([2 * math.log(1e-4), math.log(1e-4)])


def test_without_weights_the_one_reward_counts() -> None:
    target = Target(floor=0.5)(torch.tensor([0.1, math.nan]), torch.zeros(2, 0), asked([2.0, 1.0]))
    assert float(target[0]) == pytest.approx(2 * math.log(0.1))
    assert math.isnan(float(target[1]))


def test_golden_values_of_the_focus_coefficient() -> None:
    cone = Cone(0.98, 0.1)
    assert cone.gamma == pytest.approx(113.9741, abs=1e-4)
    cosine = torch.tensor([1.0, 0.99, 0.98, 0.9799], dtype=torch.float64)
    assert cone.log_coefficient(cosine).exp().tolist() == pytest.approx([1.0, 0.3181, 0.1, 0.0], abs=5e-5)
    assert float(cone.log_coefficient(cosine)[3]) == -math.inf
    assert Cone(0.98, 1.0).log_coefficient(cosine).tolist() == [0.0, 0.0, 0.0, -math.inf]


def test_cosines() -> None:
    values = torch.tensor([[0.6, 0.8], [3.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
    directions = torch.tensor([[0.8, 0.6], [0.0, 2.0], [1.0, 0.0]])
    assert cosines(values, directions).tolist() == pytest.approx([0.96, 0.0, 0.0])


def test_the_focused_target_by_hand() -> None:
    # beta (log sum w r + log cos^gamma), at least -75; outside of the cone -75 beta, at least -75.
    gamma = math.log(0.1) / math.log(0.98)
    values = torch.tensor([[0.6, 0.8], [0.6, 0.8], [0.0, 1.0], [0.0, 1.0], [0.5, 0.5]], dtype=torch.float64)
    focus = torch.tensor([[0.6, 0.8], [0.7, 0.7], [1.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    betas = [2.0, 3.0, 2.0, 0.5, 200.0]
    target = Target()(torch.ones(5), values, asked(betas, torch.full((5, 2), 0.5), focus))
    cosine = 1.4 * 0.7 / math.hypot(0.7, 0.7)
    expected = [
        2 * math.log(0.7),
        3 * (math.log(0.7) + gamma * math.log(cosine)),
        -75.0,
        -37.5,
        -75.0,
    ]
    assert cosine > 0.98
    assert target.tolist() == pytest.approx(expected, rel=1e-5)


def test_a_missing_reward_is_missing_in_a_focus_region_too() -> None:
    values = torch.full((1, 2), math.nan, dtype=torch.float64)
    condition = asked([1.0], torch.full((1, 2), 0.5), torch.ones(1, 2))
    assert bool(Target()(torch.full((1,), math.nan), values, condition).isnan().all())


def test_property_targets_multiply_the_reward() -> None:
    # A term and a property: 0.5 exp(-(20 / 10)^2 / 2), to the power 2; a missing property gives the floor.
    values = torch.tensor([[320.0], [300.0], [math.nan]], dtype=torch.float64)
    condition = asked([2.0, 1.0, 1.0], target=torch.full((3, 1), 300.0))
    reward = torch.tensor([0.5, 0.5, 0.5], dtype=torch.float64)
    target = Target(floor=1e-4, widths=(10.0,))(reward, values, condition)
    assert target.tolist() == pytest.approx([2 * (math.log(0.5) - 2), math.log(0.5), math.log(1e-4)])


def test_preferences_focus_and_targets_together() -> None:
    values = torch.tensor([[0.6, 0.8, 12.0]], dtype=torch.float64)
    condition = asked([2.0], torch.tensor([[0.5, 0.5]]), torch.tensor([[0.6, 0.8]]), torch.tensor([[10.0]]))
    target = Target(widths=(2.0,))(torch.ones(1), values, condition)
    assert target.tolist() == pytest.approx([2 * (math.log(0.7) - 0.5)])


def test_log_reward() -> None:
    reward = torch.tensor([1.0, math.e, 1e-4, math.nan], dtype=torch.float64)
    result = log_reward(reward, torch.tensor([2.0, 3.0, 0.5, 1.0]))
    torch.testing.assert_close(result, torch.tensor([0.0, 3.0, -4.6051702, math.nan]), equal_nan=True)
    for bad in (0.0, -3.0):
        with pytest.raises(RewardError, match=f"a reward is {bad:g}"):
            log_reward(torch.tensor([0.5, bad]), torch.ones(2))


def test_bad_numbers() -> None:
    with pytest.raises(ConfigError, match="cosine = 1 must be more than 0 and less than 1"):
        Cone(1.0)
    with pytest.raises(ConfigError, match="coefficient = 0 must be more than 0"):
        Cone(0.9, 0.0)
    with pytest.raises(ConfigError, match="outside = 0 must be less than 0"):
        Target(outside=0.0)
    with pytest.raises(ConfigError, match="unknown scalarisation 'sum'"):
        Target("sum")
