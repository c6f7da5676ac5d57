"""Molecules are made fit for a tool, or refused with a reason before it sees them."""

from __future__ import annotations

import pytest

from fluvial.core.errors import DataError
from fluvial.oracles.ligands import LigandRules, by_molecule, prepared
from fluvial.oracles.seeds import seed_of


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("C1CC", "is no valid SMILES"),
        ("[Na+].[Cl-]", "it holds no carbon"),
        ("C[Hg]C", "element Hg is not accepted"),
        ("C" * 130, "130 atoms other than hydrogen, at most 128"),
        ("*CC", r"element \* is not accepted"),
        ("C[CH2]", "it is a radical"),
    ],
)
def test_what_the_tool_cannot_score_is_refused(text: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        prepared(text, LigandRules())


@pytest.mark.parametrize(
    ("text", "smiles", "changes"),
    [
        (
            "CC(=O)Oc1ccccc1C(=O)[O-].[Na+]",
            "CC(=O)Oc1ccccc1C(=O)O",
            ("largest of 2 parts", "charges neutralised"),
        ),
        ("OB(O)c1ccccc1", "OB(O)c1ccccc1", ()),
        ("C[Si](C)(C)C", "C[Si](C)(C)C", ()),
        ("C" * 60, "C" * 60, ()),
        ("C[N+](C)(C)C", "C[N+](C)(C)C", ()),
        ("[2H]C([2H])([2H])O", "CO", ("isotope labels removed",)),
        ("C[C@H](N)C(=O)O", "C[C@H](N)C(=O)O", ()),
        ("C[NH3+]", "CN", ("charges neutralised",)),
    ],
)
def test_what_is_scored_is_said(text: str, smiles: str, changes: tuple[str, ...]) -> None:
    found = prepared(text, LigandRules())
    assert (found.asked, found.smiles, found.changes) == (text, smiles, changes)


def test_open_stereocentres_are_counted() -> None:
    assert prepared("CC(N)C(=O)O", LigandRules()).n_open_stereocentres == 1
    assert prepared("C[C@H](N)C(=O)O", LigandRules()).n_open_stereocentres == 0


def test_salts_of_one_acid_are_one_group() -> None:
    rules = LigandRules()
    found, refused = by_molecule({"a": "CC(=O)O", "x": "C1CC", "b": "CC(=O)[O-].[K+]"}, rules)
    assert [[key for key, _ in group] for group in found.values()] == [["a", "b"]]
    assert list(refused) == ["x"]
    assert prepared("C[NH3+]", LigandRules(neutralise=False)).smiles == "C[NH3+]"


def test_seeds_follow_from_molecule_base_and_replicate() -> None:
    assert seed_of("CCO", 0) == 533023398
    assert (
        len({seed_of(smiles, base, n) for smiles in ("CCO", "CCN") for base in (0, 1) for n in (0, 1)}) == 8
    )
