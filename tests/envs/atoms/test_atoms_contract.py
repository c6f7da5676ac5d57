"""The whole contract of environments, over the choices that molecules of atoms offer."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from fluvial.core.categorical import MaskedCategorical
from fluvial.envs.atoms.environment import Atoms
from fluvial.testing.check_env import check_env

EXHAUSTIVE: list[dict[str, Any]] = [
    {"elements": ("C", "N"), "max_atoms": 3},
    {"elements": ("N", "O"), "max_atoms": 2, "charges": (0, 1, -1)},
    {"elements": ("N", "O"), "max_atoms": 3, "five_valent_nitrogen": True},
    {"elements": ("C", "F"), "max_atoms": 4, "min_atoms": 3, "max_bonds": 3},
    {"elements": ("C",), "max_atoms": 4, "min_ring_size": 4, "bond_orders": (1, 2)},
    {"elements": ("C", "O"), "max_atoms": 4, "max_ring_size": 0},
    {"elements": ("C", "S"), "max_atoms": 2, "explicit_h": (0, 1, 2), "no_implicit": True},
    {"elements": ("P", "O", "I"), "max_atoms": 3},
    {"elements": ("C", "O"), "max_atoms": 3, "forbidden": ("OO",), "required": ("C",)},
    {"elements": ("C", "O"), "max_atoms": 4, "scaffold": "C*C", "random_walk": 6, "max_ring_size": 0},
]
EXHAUSTIVE_LONG: list[dict[str, Any]] = [
    {"elements": ("C", "N"), "max_atoms": 3, "charges": (0, 1)},
    {"elements": ("N", "O"), "max_atoms": 3, "charges": (0, 1, -1)},
    {"elements": ("N", "O"), "max_atoms": 4, "five_valent_nitrogen": True},
    {"elements": ("C",), "max_atoms": 5, "max_ring_size": 4, "bond_orders": (1,)},
    {"elements": ("C", "O"), "max_atoms": 5, "scaffold": "C*C"},
    {"elements": ("C", "O"), "max_atoms": 7, "scaffold": "c1ccccc1", "bond_orders": (1, 2)},
    {"elements": ("C", "F", "Cl", "Br"), "max_atoms": 5, "bond_orders": (1,), "chirality": True},
]
LARGE: list[dict[str, Any]] = [
    {"max_atoms": 9, "charges": (0, 1, -1), "explicit_h": (0, 1), "no_implicit": True, "chirality": True},
    {"elements": ("C", "N", "O", "S"), "max_atoms": 12, "min_atoms": 8, "max_ring_size": 6},
]


@pytest.mark.parametrize("rules", EXHAUSTIVE, ids=str)
def test_every_state_keeps_the_contract(rules: dict[str, Any]) -> None:
    check_exhaustively(rules)


@pytest.mark.long
@pytest.mark.parametrize("rules", EXHAUSTIVE_LONG, ids=str)
def test_every_state_of_larger_environments_keeps_the_contract(rules: dict[str, Any]) -> None:
    check_exhaustively(rules)


def check_exhaustively(rules: dict[str, Any]) -> None:
    report = check_env(Atoms(**rules), n_trajectories=24)
    assert report.is_exhaustive
    assert report.longest_walk <= Atoms(**rules).max_steps


@pytest.mark.parametrize("rules", LARGE, ids=str)
def test_walks_of_large_environments_keep_the_contract(rules: dict[str, Any]) -> None:
    report = check_env(Atoms(**rules), n_trajectories=4, enumerable_limit=50)
    assert not report.is_exhaustive
    assert report.n_states > 10


@pytest.mark.long
@pytest.mark.parametrize("rules", LARGE, ids=str)
def test_a_hundred_thousand_random_steps_break_no_rule(rules: dict[str, Any]) -> None:
    env = Atoms(**rules)
    generator = torch.Generator().manual_seed(0)
    states, n_steps = env.initial(512), 0
    while n_steps < 100_000:
        actions = MaskedCategorical.uniform(env.mask(states)).sample(generator)
        after = env.step(states, actions)
        back = env.undo(states, actions, after)
        assert bool(env.back_mask(after).gather(1, back[:, None]).all())
        assert bool((env.redo(states, back, after) == actions).all())
        before = env.step_back(after, back)
        for mine, theirs in zip(before.tensors(), states.tensors(), strict=True):
            assert torch.equal(mine, theirs)
        done = env.is_terminal(after)
        assert all(env.decode(after[done]))
        n_steps += len(states)
        states = env.initial(len(states)).where(done, after)
