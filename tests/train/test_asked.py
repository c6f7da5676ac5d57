from __future__ import annotations

import torch

from fluvial.core.types import Condition
from fluvial.train.asked import Names, named_conditions


def condition(n: int, n_weights: int = 0, n_focus: int = 0) -> Condition:
    weights = torch.arange(float(n * n_weights)).reshape(n, n_weights)
    focus = -torch.arange(float(n * n_focus)).reshape(n, n_focus)
    return Condition(torch.zeros(n, 3), torch.full((n,), 2.5), weights, focus)


def test_a_sharpness_alone() -> None:
    assert named_conditions(condition(2)) == [{"beta": 2.5}, {"beta": 2.5}]


def test_weights_and_focus_by_the_names_of_the_terms() -> None:
    assert named_conditions(condition(2, 2, 2), Names(["qed", "sa"]))[1] == {
        "beta": 2.5,
        "weight qed": 2.0,
        "weight sa": 3.0,
        "focus qed": -2.0,
        "focus sa": -3.0,
    }


def test_terms_without_names_are_numbered() -> None:
    assert named_conditions(condition(1, 2)) == [{"beta": 2.5, "weight 1": 0.0, "weight 2": 1.0}]
