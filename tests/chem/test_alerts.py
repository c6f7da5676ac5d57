from __future__ import annotations

import pytest

from fluvial.chem.alerts import ALERT_SETS, alert_check
from fluvial.chem.molecules import parse_smiles
from fluvial.core.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "smiles", "expected"),
    [
        ("PAINS", "Oc1ccccc1O", "PAINS: catechol_A(92)"),
        ("pains", "O=C1C(=Cc2ccccc2)SC(=S)N1", "PAINS: ene_rhod_A(235)"),
        ("PAINS", "CC(=O)Oc1ccccc1C(=O)O", None),
        ("BRENK", "CC(=O)Oc1ccccc1C(=O)O", "BRENK: phenol_ester"),
        ("NIH", "CC(=O)Oc1ccccc1C(=O)O", None),
        ("NIH", "O=C=Nc1ccccc1", "NIH: carbodiimide_iso#thio#cyanate"),
        ("chembl", "O=C=Nc1ccccc1", "CHEMBL: R11 Isocyanates & Isothiocyanates"),
    ],
)
def test_catalogues(name: str, smiles: str, expected: str | None) -> None:
    assert alert_check([name])(parse_smiles(smiles)) == expected


def test_sets_are_searched_in_the_given_order() -> None:
    catechol_ester = parse_smiles("CC(=O)Oc1ccc(O)c(O)c1")
    assert alert_check(["PAINS", "BRENK"])(catechol_ester) == "PAINS: catechol_A(92)"
    assert str(alert_check(["BRENK", "PAINS"])(catechol_ester)).startswith("BRENK: ")


def test_own_patterns_have_names() -> None:
    check = alert_check(patterns={"nitro": "[N+](=O)[O-]", "iodine": "I"})
    assert check(parse_smiles("c1ccccc1[N+](=O)[O-]")) == "nitro"
    assert check(parse_smiles("CI")) == "iodine"
    assert check(parse_smiles("CCO")) is None


def test_bad_arguments() -> None:
    assert {"PAINS", "BRENK", "NIH", "ZINC", "CHEMBL"} <= set(ALERT_SETS)
    with pytest.raises(ConfigError, match="unknown alert set 'PAIN' - did you mean 'PAINS'"):
        alert_check(["PAIN"])
    with pytest.raises(ConfigError, match=r"'C\(' is not a SMARTS pattern"):
        alert_check(patterns={"broken": "C("})
    with pytest.raises(ConfigError, match="at least one set"):
        alert_check()
