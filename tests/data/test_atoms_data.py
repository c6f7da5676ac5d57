"""Given molecules in an environment of atoms."""

from __future__ import annotations

from pathlib import Path

import torch

from fluvial.data.building import read_dataset
from fluvial.data.columns import Columns
from fluvial.envs.atoms.environment import Atoms
from fluvial.sample.rollout import retrace


def test_given_molecules_are_found_built_and_told_apart(tmp_path: Path) -> None:
    table = tmp_path / "given.csv"
    table.write_text("smiles,pIC50\nCC1=CC=CC=C1,2.0\nCc1ccccc1,3.0\nC[N+](=O)[O-],1.0\nCC.O,1.0\nCCBr,4.0\n")
    env = Atoms(max_atoms=8, charges=(0, 1, -1))
    dataset, report = read_dataset(env, table, Columns("smiles", "pIC50"))
    # Toluene in its two Kekulé forms is one molecule; the salt and bromine cannot be made.
    assert (report.n_rows, report.n_objects, report.n_duplicates) == (5, 2, 1)
    assert any("2 of 5 texts cannot be made" in line for line in report.lines())
    states = retrace(env, dataset.actions.long(), dataset.n_steps)
    assert env.decode(states) == ["Cc1ccccc1", "C[N+](=O)[O-]"]
    assert torch.equal(env.key(states), dataset.key)
    assert dataset.reward.tolist() == [2.0, 1.0]
