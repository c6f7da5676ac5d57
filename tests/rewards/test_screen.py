from __future__ import annotations

import random

import pytest

from fluvial.chem.molecules import parse_smiles
from fluvial.core.errors import ConfigError
from fluvial.rewards.screen import Screen, ScreenSettings

CHAINS = [
    f"{'C' * n}{end}{'C' * m}" for n in range(1, 13) for m in range(1, 13) for end in ("O", "N", "S", "=C")
]
random.Random(0).shuffle(CHAINS)
"""Molecules whose worth below is the number of their oxygens and nitrogens, plus a little for size."""


def worth(text: str) -> float:
    mol = parse_smiles(text)
    return sum(atom.GetSymbol() in "ON" for atom in mol.GetAtoms()) + 0.01 * mol.GetNumAtoms()


def learned(**changes: object) -> Screen:
    screen = Screen(ScreenSettings(**{"start": 200, "trees": 20, "explore": 0.0, **changes}))
    screen.learn(CHAINS[:288], [worth(text) for text in CHAINS[:288]])
    return screen


def test_all_pass_until_enough_is_known() -> None:
    screen = Screen(ScreenSettings(start=200))
    screen.learn(CHAINS[:199], [worth(text) for text in CHAINS[:199]])
    assert screen.passes(CHAINS[200:210]) == [True] * 10
    assert screen.n_learned == 0
    assert screen.passes([]) == []


def test_the_promising_ones_pass() -> None:
    screen = learned(share=0.5)
    assert screen.n_learned == 200
    new = CHAINS[288:]
    passed = [text for text, passes in zip(new, screen.passes(new), strict=True) if passes]
    assert len(passed) == len(new) // 2
    assert sum("N" in text or "O" in text for text in passed) > 0.95 * len(passed)


def test_what_cannot_be_read_passes() -> None:
    assert learned(share=0.01).passes(["CC", "C(C", "CCO"]).count(True) == 2


def test_some_pass_whatever_is_predicted() -> None:
    passed = learned(share=0.001, explore=0.2).passes(CHAINS)
    assert 0.12 < sum(passed) / len(passed) < 0.28
    assert passed == learned(share=0.001, explore=0.2).passes(CHAINS)
    assert passed != learned(share=0.001, explore=0.2, seed=1).passes(CHAINS)


def test_it_is_fitted_again_by_steps_and_from_the_first_answer_on() -> None:
    screen = Screen(ScreenSettings(start=100, growth=1.5))
    assert [screen.due(n) for n in (99, 100, 149, 150, 224, 225, 10_000)] == [
        0,
        100,
        100,
        150,
        150,
        225,
        8650,
    ]
    values = [worth(text) for text in CHAINS]
    at_once, by_steps = (Screen(ScreenSettings(start=100, trees=5)) for _ in range(2))
    at_once.learn(CHAINS[:400], values[:400])
    for n in range(0, 401, 40):
        by_steps.learn(CHAINS[:n], values[:n])
    assert at_once.n_learned == by_steps.n_learned == 338
    assert at_once.passes(CHAINS[400:]) == by_steps.passes(CHAINS[400:])


def test_values_that_are_all_alike_screen_nothing() -> None:
    screen = Screen(ScreenSettings(start=50))
    screen.learn(CHAINS[:60], [1.0] * 60)
    assert screen.passes(CHAINS[60:70]) == [True] * 10


@pytest.mark.parametrize(
    "wrong", [{"share": 0.0}, {"share": 1.1}, {"explore": -0.1}, {"start": 5}, {"growth": 1.0}]
)
def test_numbers_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        ScreenSettings(**wrong)  # type: ignore[arg-type]
