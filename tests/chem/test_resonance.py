from __future__ import annotations

import pytest

from fluvial.chem.atoms import parse_as_written, read_atoms
from fluvial.chem.resonance import find_resonance, kekule_forms, molecule_smiles


@pytest.mark.parametrize(
    ("smiles", "n_forms", "n_aromatic"),
    [
        ("CCO", 1, 0),
        ("C1=CC=CC=C1", 2, 6),
        ("CC1=CC=CC=C1", 2, 6),  # atoms are told apart
        ("c1ccc2ccccc2c1", 3, 11),  # naphthalene
        ("c1ccc2cc3ccccc3cc2c1", 4, 16),  # anthracene
        ("c1ccc(-c2ccccc2)cc1", 4, 12),  # two rings by themselves
        ("c1cc[nH]c1", 1, 5),  # pyrrole has but one
        ("C1=CC=C1", 1, 0),  # cyclobutadiene is not aromatic
    ],
)
def test_kekule_forms_of_known_molecules(smiles: str, n_forms: int, n_aromatic: int) -> None:
    graph = read_atoms(parse_as_written(smiles))
    found = find_resonance(graph)
    assert (found.n_forms, len(found.aromatic)) == (n_forms, n_aromatic)
    forms = list(kekule_forms(graph))
    assert len(set(forms)) == n_forms
    assert graph in forms
    assert len({molecule_smiles(form) for form in forms}) == 1
