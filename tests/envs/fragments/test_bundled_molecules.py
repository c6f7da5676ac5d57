"""Molecules that RDKit comes with: what fragments can make of them, and that it is the same molecule again."""

from __future__ import annotations

from pathlib import Path

import pytest
from rdkit import Chem, RDConfig, RDLogger

from fluvial.chem.vocabulary import load_vocabulary
from fluvial.core.environment import Found
from fluvial.envs.fragments.environment import Fragments

FILE = Path(RDConfig.RDDataDir) / "NCI" / "first_5K.smi"


def flat(text: str) -> str:
    """Canonical SMILES without stereo marks, which fragments do not have."""
    mol = Chem.MolFromSmiles(text)
    Chem.RemoveStereochemistry(mol)
    return Chem.MolToSmiles(Chem.MolFromSmiles(Chem.MolToSmiles(mol)))


@pytest.mark.parametrize(
    ("n_texts", "least_made"), [(500, 100), pytest.param(5000, 1200, marks=pytest.mark.long)]
)
def test_what_can_be_made_comes_back(n_texts: int, least_made: int) -> None:
    RDLogger.DisableLog("rdApp.*")
    texts = [line.split()[0] for line in FILE.read_text().splitlines()[:n_texts]]
    env = Fragments(load_vocabulary("default"), 8)
    encoded = env.encode(texts)
    RDLogger.EnableLog("rdApp.*")
    is_made = (encoded.found == Found.ONE) | (encoded.found == Found.SEVERAL)
    made = [text for text, is_one in zip(texts, is_made.tolist(), strict=True) if is_one]
    assert len(made) >= least_made
    again = env.decode(encoded.states[is_made.nonzero()[:, 0]])
    assert list(map(flat, made)) == list(map(flat, again))
    assert not bool((encoded.found == Found.GAVE_UP).any())
    # What is no molecule to RDKit is invalid, everything else cannot be made of these fragments.
    unreadable = [
        text for text, found in zip(texts, encoded.found.tolist(), strict=True) if found == Found.INVALID
    ]
    assert all(Chem.MolFromSmiles(text, sanitize=True) is None or "." in text for text in unreadable)
