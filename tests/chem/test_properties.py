from __future__ import annotations

import subprocess
import sys

import pytest

from fluvial.chem.molecules import parse_smiles
from fluvial.chem.properties import PROPERTIES, parse_smarts, similarity_to, substructure_count
from fluvial.core.errors import ConfigError

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
CAFFEINE = "Cn1cnc2c1c(=O)n(C)c(=O)n2C"


@pytest.mark.parametrize(
    ("name", "aspirin", "caffeine"),
    [
        ("qed", 0.5501, 0.5385),
        ("sa", 1.5800, 2.2980),
        ("sa_normalised", 0.9356, 0.8558),
        ("np", 0.1218, -1.0866),
        ("logp", 1.3101, -1.0293),
        ("mw", 180.159, 194.194),
        ("tpsa", 63.60, 61.82),
        ("hbd", 1.0, 0.0),
        ("hba", 3.0, 3.0),
        ("rings", 1.0, 2.0),
        ("aromatic_rings", 1.0, 2.0),
        ("rotatable_bonds", 2.0, 0.0),
        ("heavy_atoms", 13.0, 14.0),
        ("fraction_csp3", 1 / 9, 3 / 8),
    ],
)
def test_golden_values(name: str, aspirin: float, caffeine: float) -> None:
    function = PROPERTIES[name].function
    assert function(parse_smiles(ASPIRIN)) == pytest.approx(aspirin, abs=1e-3)
    assert function(parse_smiles(CAFFEINE)) == pytest.approx(caffeine, abs=1e-3)


@pytest.mark.parametrize("name", PROPERTIES)
def test_values_lie_in_the_natural_range(name: str) -> None:
    record = PROPERTIES[name]
    low, high = record.natural_range
    for smiles in ("C", ASPIRIN, CAFFEINE, "[Na+].[Cl-]", "C1CCCCCCCCCCC1", "OCC(O)C(O)C(O)C(O)CO"):
        value = record.function(parse_smiles(smiles))
        assert isinstance(value, float)
        assert low <= value <= high


def test_similarity_is_to_the_nearest_molecule() -> None:
    ethanol, aspirin = parse_smiles("CCO"), parse_smiles(ASPIRIN)
    assert similarity_to(["OCC"])(ethanol) == 1.0
    assert similarity_to([CAFFEINE, "CCO"])(ethanol) == 1.0
    both = similarity_to(["CCO", "c1ccccc1"])(aspirin)
    assert both == max(similarity_to(["CCO"])(aspirin), similarity_to(["c1ccccc1"])(aspirin))
    assert both == pytest.approx(0.125)


def test_substructure_count_is_of_distinct_places() -> None:
    assert substructure_count("[CX3]=O")(parse_smiles(ASPIRIN)) == 2.0
    assert substructure_count("c1ccccc1")(parse_smiles(ASPIRIN)) == 1.0
    assert substructure_count("N")(parse_smiles(ASPIRIN)) == 0.0


@pytest.mark.parametrize("text", ["C1CC(", "", "not smarts"])
def test_bad_smarts_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a SMARTS pattern"):
        parse_smarts(text)


def test_bad_molecules_to_compare_with_are_named() -> None:
    with pytest.raises(ConfigError, match="C1CC"):
        similarity_to(["CCO", "C1CC"])
    with pytest.raises(ConfigError, match="at least one molecule"):
        similarity_to([])


def test_import_needs_no_torch() -> None:
    modules = "fluvial.chem.alerts, fluvial.rewards.flags, fluvial.rewards.reward"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
