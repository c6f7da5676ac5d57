from __future__ import annotations

import pytest
from rdkit import Chem

from fluvial.chem.synthesis import cleaning as reasons
from fluvial.chem.synthesis.cleaning import Cleaning, cleaned
from fluvial.core.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("OCC", "CCO"),
        ("Cl.NCC", "CCN"),  # a hydrochloride
        ("CC(=O)[O-].[Na+]", "CC(=O)O"),
        ("C[NH3+].[Cl-]", "CN"),
        ("OC(=O)C(F)(F)F.C1CCNCC1CCC", "CCCC1CCCNC1"),  # a trifluoroacetate
        ("O.CCO", "CCO"),  # a hydrate
        ("CCN.CCN.OS(=O)(=O)O", "CCN"),
        ("O=[N+]([O-])c1ccccc1", "O=[N+]([O-])c1ccccc1"),  # charges that belong there
        ("CN=[N+]=[N-]", "CN=[N+]=[N-]"),
        ("N[C@@H](C)C(=O)O", "CC(N)C(=O)O"),
        ("C/C=C/C", "CC=CC"),
    ],
)
def test_what_is_made_of_an_entry(text, expected):
    mol, said = cleaned(text, Cleaning())
    assert said == Chem.CanonSmiles(expected)
    assert Chem.MolToSmiles(mol) == said


def test_stereo_is_kept_on_request():
    assert cleaned("N[C@@H](C)C(=O)O", Cleaning(stereo="keep"))[1] == "C[C@H](N)C(=O)O"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("C(", reasons.UNREADABLE),
        ("", reasons.UNREADABLE),
        ("c1ccccc1CCCCCCCC.c1ccccc1CCCCCCCO", reasons.MIXTURE),
        ("[Na+].[Cl-]", reasons.NO_CARBON),
        ("C[Sn](C)(C)C", reasons.WRONG_ELEMENT),
        ("[2H]C", reasons.ISOTOPE),
        ("C[CH2]", reasons.RADICAL),
        ("C[N+](C)(C)C", reasons.CHARGED),
        ("CC", reasons.TOO_SMALL),
        ("CCCCCCC", reasons.TOO_LARGE),
    ],
)
def test_why_an_entry_is_refused(text, reason):
    assert cleaned(text, Cleaning(least_atoms=3, most_atoms=6) if reason[:3] == "wit" else Cleaning()) == (
        None,
        reason,
    )


@pytest.mark.parametrize("n_atoms", [3, 6])
def test_the_limits_of_size_belong_to_it(n_atoms):
    assert cleaned("C" * n_atoms, Cleaning(least_atoms=3, most_atoms=6))[1] == "C" * n_atoms


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"least_atoms": 0}, "0 to 40"),
        ({"least_atoms": 9, "most_atoms": 8}, "9 to 8"),
        ({"stereo": "maybe"}, "'maybe' is no choice"),
        ({"elements": ("C", "Xx")}, "'Xx' is no chemical symbol"),
    ],
)
def test_settings_that_cannot_be(settings, said):
    with pytest.raises(ConfigError, match=said):
        Cleaning(**settings)
