from __future__ import annotations

import pytest
import torch
from rdkit import Chem

from fluvial.chem.vocabulary import load_vocabulary
from fluvial.core.environment import Found
from fluvial.envs.fragments.environment import Fragments
from fluvial.policy.uniform import UniformPolicy
from fluvial.rewards.conditions import Conditions
from fluvial.sample.rollout import rollout

N_STEPS, N_ENCODED = 100_000, 10_000


@pytest.mark.long
def test_a_hundred_thousand_random_steps() -> None:
    env = Fragments(load_vocabulary("default"), 5, min_fragments=3)
    generator = torch.Generator().manual_seed(3)
    texts: list[str] = []
    keys: list[int] = []
    n_steps = 0
    while n_steps < N_STEPS:
        made = rollout(env, UniformPolicy(env), Conditions().fixed(1000, 1.0), generator)
        live = made.mask.flatten()
        states = made.states[:-1].flatten()[live]
        legal = env.mask(states)
        assert bool(legal.gather(1, made.actions.flatten()[live][:, None]).all())
        stoppable = states[legal[:, 0]]
        smiles = env.decode(stoppable)
        assert all(Chem.MolFromSmiles(text) is not None for text in smiles)
        texts += smiles
        keys += env.key(env.step(stoppable, torch.zeros(len(stoppable), dtype=torch.int64))).tolist()
        n_steps += int(made.mask.sum())

    assert len(texts) >= N_ENCODED
    encoded = env.encode(texts[:N_ENCODED])
    same = encoded.found == Found.ONE
    several = encoded.found == Found.SEVERAL
    assert bool((same | several).all())
    assert torch.equal(env.key(encoded.states)[same], torch.tensor(keys[:N_ENCODED])[same])
    # A molecule is called ambiguous only if another tree makes it too.
    for text, again in zip(
        [text for text, flag in zip(texts, several.tolist(), strict=False) if flag][:200],
        env.decode(encoded.states[several][:200]),
        strict=True,
    ):
        assert text == again
