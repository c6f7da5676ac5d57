"""Which bonds of rings may be taken away, by hand."""

from __future__ import annotations

import pytest
import torch

from fluvial.envs.atoms.environment import Atoms
from fluvial.envs.atoms.rings import opens_well

MANY_RINGS = "c1ccc(cc1)" + "-c1ccc(cc1)" * 10 + "C"


@pytest.mark.parametrize(
    ("smiles", "largest", "n_open"),
    [
        ("C1CCCCC1", 6, 6),
        ("C1CCC2CCCCC2C1", 6, 10),  # without the shared bond a ring of ten is left
        ("C1CCC2CCCCC2C1", 10, 11),
        ("C12C3C4C1C5C2C3C45", 4, 12),  # five of cubane's six faces make all
        ("C12CC1C2", 3, 4),  # two triangles; their shared bond must stay
        (MANY_RINGS, 6, 66),  # more bonds than a word holds; those between rings stay
    ],
)
def test_bonds_that_leave_rings_within_the_limit(smiles: str, largest: int, n_open: int) -> None:
    env = Atoms(max_atoms=67, max_ring_size=largest)
    found = env.encode([smiles])
    assert env.refusals([smiles]) == [""]
    assert int(opens_well(found.states, largest).sum()) == 2 * n_open
    making = env.step_back(found.states, torch.tensor([0]))
    first = env._graphs.start["remove_edge"]
    n_pairs = 67 * 66 // 2
    assert int(env.back_mask(making)[:, first : first + n_pairs].sum()) == n_open
