from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from fluvial.core.errors import ConfigError
from fluvial.rewards.preferences import LAWS, Preferences, dirichlet, dirichlet_exponential, seeded_choices


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("n_terms", "concentration"), [(2, 1.0), (3, 1.5), (4, 0.2), (2, 20.0), (1, 1.0)])
def test_moments(n_terms: int, concentration: float) -> None:
    n, total = 40_000, n_terms * concentration
    draws = dirichlet(n, n_terms, concentration, generator())
    mean, variance = 1 / n_terms, (n_terms - 1) / (n_terms**2 * (total + 1))
    assert draws.mean(dim=0).tolist() == pytest.approx(
        [mean] * n_terms, abs=5 * math.sqrt(variance / n) + 1e-12
    )
    expected = torch.full((n_terms, n_terms), -variance / max(1, n_terms - 1), dtype=torch.float64)
    expected.fill_diagonal_(variance)
    covariance = draws.T.cov().reshape(n_terms, n_terms)
    torch.testing.assert_close(covariance, expected, rtol=0.0, atol=0.03 * variance + 1e-12)


@pytest.mark.parametrize(
    ("concentration", "below"),
    [
        # A weight of two has the distribution Beta(a, a): a = 1 is uniform, 1/2 has 2/pi asin(sqrt(x)),
        # 2 has x^2 (3 - 2 x); the last by numerical integration.
        (1.0, 0.25),
        (0.5, 1 / 3),
        (2.0, 0.15625),
        (0.01, 0.4946),
    ],
)
def test_a_weight_of_two_is_beta_distributed(concentration: float, below: float) -> None:
    draws = dirichlet(40_000, 2, concentration, generator(1))
    assert float((draws[:, 0] < 0.25).double().mean()) == pytest.approx(below, abs=5 * 0.5 / 200)


@pytest.mark.parametrize("concentration", [1e-4, 1e-3, 1e4])
def test_extreme_concentrations_stay_on_the_simplex(concentration: float) -> None:
    draws = dirichlet(1000, 3, concentration, generator())
    assert bool((draws >= 0.0).all())
    torch.testing.assert_close(draws.sum(dim=1), torch.ones(1000).double(), rtol=0.0, atol=1e-12)
    largest = draws.amax(dim=1)
    if concentration < 1.0:
        # Of three, each is the one that counts in a third of the draws: gamma variables that underflow to
        # the same smallest number would make it 1/3, 1/3, 1/3.
        assert float((largest > 0.999).double().mean()) > 0.95
        counts = draws.argmax(dim=1).bincount(minlength=3) / 1000
        assert counts.tolist() == pytest.approx([1 / 3] * 3, abs=0.075)
    else:
        assert float(largest.max()) < 0.36


@pytest.mark.parametrize("law", LAWS)
def test_laws_stay_on_the_simplex(law: str) -> None:
    for n in (1, 500):
        weights = Preferences(3, law).draw(n, generator())
        assert weights.shape == (n, 3)
        assert bool((weights >= 0.0).all())
        torch.testing.assert_close(weights.sum(dim=1), torch.ones(n).double(), rtol=0.0, atol=1e-12)


def test_dirichlet_exponential_has_the_mean_and_the_variance_of_its_law() -> None:
    # With a of Dir(1, 1), b of Exp(1): the mean is 1/2, and E[w^2] = E[a (a b + 1) / (b + 1)]
    # = 1/2 - E[b / (b + 1)] (1/2 - 1/3); E[b / (b + 1)] = 1 - e E1(1) = 0.403653.
    drawn = dirichlet_exponential(60_000, 2, 1.0, generator())[:, 0]
    assert float(drawn.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(drawn.square().mean()) == pytest.approx(0.5 - 0.403653 / 6, abs=0.01)


def test_choices_are_brought_to_a_sum_of_1_and_drawn_alike() -> None:
    preferences = Preferences(2, choices=((1.0, 3.0), (2.0, 0.0)))
    drawn = preferences.draw(4000, generator())
    assert preferences.choices == ((0.25, 0.75), (1.0, 0.0))
    assert float((drawn[:, 0] == 0.25).double().mean()) == pytest.approx(0.5, abs=0.04)
    assert set(drawn[:, 1].tolist()) == {0.75, 0.0}
    assert preferences.encoding_width == 2


def test_one_choice_has_nothing_to_encode_and_draws_no_numbers() -> None:
    preferences, source = Preferences(2, choices=((3.0, 1.0),)), generator()
    before = source.get_state()
    assert preferences.draw(2, source).tolist() == [[0.75, 0.25]] * 2
    assert torch.equal(source.get_state(), before)
    assert preferences.encoding_width == 0
    assert preferences.encode(torch.ones(2, 2)).shape == (2, 0)
    assert preferences.middle().tolist() == [0.75, 0.25]


def test_seeded_choices_are_the_same_for_the_same_seed() -> None:
    one, many = seeded_choices(3, 1, 1.0, 7), seeded_choices(3, 5, 1.0, 7)
    assert one == seeded_choices(3, 1, 1.0, 7)
    assert len(set(many)) == 5
    assert one != seeded_choices(3, 1, 1.0, 8)
    assert Preferences(3, choices=many).encoding_width == 3


def test_encodings() -> None:
    weights = torch.tensor([[0.25, 0.75]])
    assert Preferences(2).encode(weights).tolist() == [[0.25, 0.75]]
    assert Preferences(2, n_bins=2).encode(weights).tolist() == [[0.5, 0.0, 1.0, 0.5]]
    assert Preferences(2, n_bins=2).encoding_width == 4
    assert Preferences(4).middle().tolist() == [0.25] * 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_terms": 0}, "n_terms = 0 must be at least 1"),
        ({"n_terms": 2, "concentration": 0.0}, "concentration = 0 must be a number above 0"),
        ({"n_terms": 2, "concentration": math.inf}, "concentration = inf must be a number above 0"),
        ({"n_terms": 2, "n_bins": -1}, "n_bins = -1 must be at least 0"),
        (
            {"n_terms": 2, "law": "dirchlet"},
            "unknown law of preferences 'dirchlet' - did you mean 'dirichlet'",
        ),
        ({"n_terms": 2, "choices": ((1.0,),)}, "1 weights were given for 2 reward terms"),
        (
            {"n_terms": 2, "choices": ((0.0, 0.0),)},
            "the weights 0, 0 must be at least 0, and one of them more",
        ),
        ({"n_terms": 2, "choices": ((2.0, -1.0),)}, "the weights 2, -1 must be at least 0"),
        ({"n_terms": 2, "choices": ((math.nan, 1.0),)}, "the weights nan, 1 must be at least 0"),
    ],
)
def test_bad_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Preferences(**options)
