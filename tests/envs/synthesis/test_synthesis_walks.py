"""Random syntheses go back step by step, and their reactions, run again, give the product."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import synthesis_toy as toy
import torch

from fluvial.chem.molecules import parse_smiles
from fluvial.chem.synthesis.library import BlockLibrary, embedded_library
from fluvial.chem.synthesis.reactions import reactions_of
from fluvial.core.types import Trajectories
from fluvial.envs.synthesis.environment import Syntheses
from fluvial.envs.synthesis.state import Synthesis
from fluvial.policy.uniform import UniformPolicy
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import rollout
from fluvial.testing.contract import same_rows

N_WALKS = int(os.environ.get("FLUVIAL_WALKS", "300"))
"""Trajectories of each case."""
AT_ONCE = 100


def walks(env: Syntheses, n: int) -> Iterator[Trajectories[Synthesis]]:
    generator = torch.Generator().manual_seed(0)
    for _ in range(0, n, AT_ONCE):
        yield rollout(env, UniformPolicy(env), Conditions().fixed(AT_ONCE, 1.0), generator)


def goes_back(env: Syntheses, made: Trajectories[Synthesis]) -> bool:
    for time, live in enumerate(made.mask):
        rows = live.nonzero()[:, 0]
        before, after = made.states[time, rows], made.states[time + 1, rows]
        undone = made.back_actions[time, rows]
        legal = env.back_mask(after).gather(1, undone[:, None])
        same = same_rows(env.step_back(after, undone), before)
        redone = env.redo(before, undone, after) == made.actions[time, rows]
        if not bool(legal.all() & same.all() & redone.all()):
            return False
    return True


def n_products_again(library: BlockLibrary, env: Syntheses, made: Trajectories[Synthesis]) -> int:
    """How many of the trajectories end in what their reactions give, with nothing of the environment's."""
    reactions, n = reactions_of(library.templates), 0
    texts = env.decode(made.final_states)
    for row, text in enumerate(texts):
        mol = ""
        pending: tuple[int, int] | None = None
        for action, live in zip(made.actions[:, row].tolist(), made.mask[:, row].tolist(), strict=True):
            if not live or action == 0:
                break
            if action >= env.first_block:
                block = library.smiles[action - env.first_block]
                if not mol:
                    mol = block
                    continue
                assert pending is not None
                reactants = [mol, block] if pending[1] == 0 else [block, mol]
                found = reactions[pending[0]].products(*map(parse_smiles, reactants))
            elif action <= env.n_roles:
                role = env.molecules.roles[action - 1]
                pending = (role.template, role.position)
                if role.n_reactants == 2:
                    continue
                found = reactions[role.template].products(parse_smiles(mol))
            else:
                mol = found[action - 1 - env.n_roles]
                continue
            mol = found[0] if len(found) == 1 else mol
        n += mol == text
    return n


@pytest.mark.long
def test_a_searched_space_goes_back_everywhere() -> None:
    library = toy.hartenfeller_button()
    env = Syntheses(library, 3)
    for made in walks(env, N_WALKS):
        assert goes_back(env, made)
        assert n_products_again(library, env, made) == AT_ONCE


@pytest.mark.long
def test_all_routes_through_the_packaged_library_run_again() -> None:
    library = embedded_library()
    env = Syntheses(library, 3, parents="recorded")
    n_failed = 0
    for made in walks(env, N_WALKS):
        texts = env.decode(made.final_states)
        n_failed += texts.count("")
        assert n_products_again(library, env, made) == AT_ONCE - texts.count("")
    assert n_failed <= 0.01 * N_WALKS
