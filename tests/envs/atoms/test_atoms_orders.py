"""Charged groups can be built in every order in which they can be taken apart."""

from __future__ import annotations

import pytest
import torch

from fluvial.envs.atoms.environment import Atoms
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import backward_rollout, renumbered, retrace

CHARGED = Atoms(elements=("C", "N", "O"), max_atoms=6, charges=(0, 1, -1))


def n_orders(env: Atoms, smiles: str) -> int:
    """Sequences of backward actions from a finished molecule to nothing."""
    states, number = env.encode([smiles]).states, torch.ones(1, dtype=torch.int64)
    total = 0
    while len(states):
        total += int(number[env.is_initial(states)].sum())
        rows, actions = env.back_mask(states).nonzero(as_tuple=True)
        parents, number = env.step_back(states[rows], actions), number[rows]
        key, group = torch.unique(env.key(parents), return_inverse=True)
        number = torch.zeros_like(key).index_add(0, group, number)
        first = torch.zeros_like(key).scatter(0, group.flip(0), torch.arange(len(group)).flip(0))
        states = parents[first]
    return total


@pytest.mark.parametrize(
    ("smiles", "number"),
    [
        ("[NH4+]", 1),
        # The charge goes first, then either atom; or carbon, then the charge.
        ("C[NH3+]", 3),
        # Four bonds need the charge, so a carbon goes before it: 4 times the orders of three carbons.
        ("C[N+](C)(C)C", 4 * n_orders(CHARGED, "C[NH+](C)C")),
        ("[OH3+]", 1),
        ("C[OH2+]", 3),
    ],
)
def test_orders_counted_by_hand(smiles: str, number: int) -> None:
    assert n_orders(CHARGED, smiles) == number


@pytest.mark.parametrize(
    ("smiles", "least"),
    [
        # Beginning with the nitrogen or oxygen, and with a carbon; the charge at any time.
        *(("C[NH+](C)C", 7), ("C[N+](C)(C)C", 7), ("C[OH+]C", 5), ("C=[O+]C", 6)),
        *(("C[N+](=O)[O-]", 9), ("[O-][n+]1ccccc1", 50), ("CN=[N+]=[N-]", 9)),
    ],
)
def test_every_way_back_is_a_way_there(smiles: str, least: int) -> None:
    env = Atoms(elements=("C", "N", "O"), max_atoms=8, charges=(0, 1, -1))
    final = env.encode([smiles]).states.repeat(64)
    condition = Conditions().fixed(64, 1.0)
    generator = torch.Generator().manual_seed(0)
    ways = backward_rollout(env, None, final, condition, generator)
    assert bool(env.is_initial(ways.states[0]).all())  # type: ignore[index]
    ways = renumbered(env, ways)
    again = retrace(env, ways.actions, ways.mask.sum(dim=0))
    assert env.decode(again) == env.decode(final)
    assert len({tuple(row) for row in ways.actions.T.tolist()}) >= least


def test_nitro_groups_with_five_bonds_are_written_with_charges() -> None:
    env = Atoms(elements=("C", "N", "O"), max_atoms=4, five_valent_nitrogen=True)
    found = env.encode(["C[N+](=O)[O-]"])
    assert env.decode(found.states) == ["C[N+](=O)[O-]"]
    # The carbon, or an oxygen with two bonds, is taken away; never the nitrogen.
    opened = env.step_back(found.states, torch.tensor([0]))
    assert int(env.back_mask(opened).sum()) == 2
