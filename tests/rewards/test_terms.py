from __future__ import annotations

from pathlib import Path

import pytest
from rdkit.Chem import Mol

from fluvial.chem.molecules import parse_smiles
from fluvial.chem.properties import PROPERTIES
from fluvial.core.errors import ConfigError, RewardError
from fluvial.predictors.registry import PREDICTORS
from fluvial.rewards.calls import Failure
from fluvial.rewards.defaults import DEFAULT_TRANSFORMS
from fluvial.rewards.terms import Term, function_term, property_term, similarity_term, substructure_term
from fluvial.rewards.transforms import make_transform

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"


def value_of(term: Term, smiles: str) -> float | Failure:
    (row,) = term.raw([smiles], [parse_smiles(smiles)])
    return term.value(term.raw_value(row))


def failing(text: list[str]) -> list[float]:
    raise ValueError("never")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("qed", 0.55012),
        ("sa", (10 - 1.58004) / 9),
        ("sa_normalised", (10 - 1.58004) / 9),
        ("np", 0.51218),
        ("logp", 1 / (1 + 10 ** (-1.5 * 0.3101))),
        ("mw", 1 / (1 + 10 ** (0.04 * 19.841))),
        ("tpsa", 1 / (1 + 10 ** (-43.6 / 7))),
        ("hbd", 1 - 1 / (1 + 10**7.5)),
        ("hba", 1 - 1 / (1 + 10**12.5)),
        ("rotatable_bonds", 1 - 1 / (1 + 10 ** (85 / 6))),
        ("rings", 1 / (1 + 10**-0.75)),
        ("aromatic_rings", 1 / (1 + 10**-0.75)),
        ("heavy_atoms", 1 / (1 + 10 ** (20 / 36))),
        ("fraction_csp3", 1 / 9),
    ],
)
def test_default_transforms_on_aspirin(name: str, expected: float) -> None:
    assert value_of(property_term(name), ASPIRIN) == pytest.approx(expected, abs=2e-5)


def test_every_property_has_a_default_transform_to_the_unit_interval() -> None:
    assert set(DEFAULT_TRANSFORMS) == {*PROPERTIES, *PREDICTORS}
    for name in PROPERTIES:
        for smiles in ("C", ASPIRIN, "[Na+].[Cl-]", "OCC(O)C(O)C(O)C(O)CO"):
            value = value_of(property_term(name), smiles)
            assert isinstance(value, float)
            assert 0.0 <= value <= 1.0


def test_names_of_properties_are_forgiving() -> None:
    term = property_term("SA-Score", label="easy", weight=2.0)
    assert (term.name, term.kind, term.weight) == ("easy", "sa", 2.0)
    with pytest.raises(ConfigError, match="unknown reward property 'qd' - did you mean 'qed'"):
        property_term("qd")


def test_own_transform_replaces_the_default() -> None:
    term = property_term("sa", transform=make_transform("reverse_sigmoid", low=2, high=5, k=0.5))
    assert value_of(term, ASPIRIN) == pytest.approx(1 - 1 / (1 + 10 ** (-5 * (1.58004 - 3.5) / 3)), abs=1e-5)


def test_similarity_and_substructure() -> None:
    assert value_of(similarity_term([ASPIRIN]), ASPIRIN) == 1.0
    assert value_of(substructure_term("[CX3]=O"), ASPIRIN) == 1.0
    assert value_of(substructure_term("N"), ASPIRIN) == 0.0
    count = substructure_term("[CX3]=O", transform=make_transform("identity"))
    assert value_of(count, ASPIRIN) == 2.0
    with pytest.raises(ConfigError, match="is not a SMARTS pattern"):
        substructure_term("C(")
    with pytest.raises(ConfigError, match="similarity: "):
        similarity_term(["C1CC"])


def test_function_gets_smiles_or_molecules(tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text(
        "def letters(smiles): return [len(text) for text in smiles]\n"
        "def atoms(mols): return [mol.GetNumAtoms() for mol in mols]\n"
    )
    assert value_of(function_term("f.py:letters", tmp_path), "CCO") == 3.0
    assert value_of(function_term("f.py:atoms", tmp_path), "[13CH4]") == 1.0
    assert function_term("f.py:atoms", tmp_path).name == "atoms"


def test_function_given_as_itself() -> None:
    def atoms(mols: list[Mol]) -> list[float]:
        return [mol.GetNumAtoms() for mol in mols]

    assert value_of(function_term(atoms), "CCO") == 3.0
    with pytest.raises(RewardError, match="cannot be called with one list"):
        function_term(lambda: [1.0])
    with pytest.raises(RewardError, match=r"write it as file\.py:function"):
        function_term("activity.py")


def test_file_is_loaded_by_an_empty_call_only(tmp_path: Path) -> None:
    term = function_term("missing.py:score", tmp_path)
    with pytest.raises(RewardError, match=r"missing\.py: no such file"):
        term.raw((), ())


def test_which_output_is_the_term() -> None:
    two = {"dock": -8.0, "herg": 0.5}
    assert function_term(failing, output="herg").raw_value(two) == 0.5
    assert function_term(failing, label="dock").raw_value(two) == -8.0
    assert function_term(failing).raw_value({"dock": -8.0}) == -8.0
    assert function_term(failing).raw_value(two) == Failure(
        "returned dock, herg: choose one of them as output"
    )
    missing = Failure("returned no 'x' (found: dock, herg)")
    assert function_term(failing, output="x").raw_value(two) == missing
    unnamed = Failure("returned no 'x' (found: values without names)")
    assert function_term(failing, output="x").raw_value(1.0) == unnamed
    assert function_term(failing, output="x").raw_value(Failure("late")) == Failure("late")


@pytest.mark.parametrize(
    ("raw", "transform", "reason"),
    [
        (
            -3.0,
            make_transform("identity"),
            "the value -3 is negative and a reward is not: give the term a transform",
        ),
        (1.0, lambda x: -x, "the transform gave -1, which is negative"),
        (1.0, lambda x: x / 0, "ZeroDivisionError: float division by zero"),
        (1.0, lambda x: float("inf"), "returned inf, not a finite number"),
    ],
)
def test_failing_transforms(raw: float, transform: object, reason: str) -> None:
    term = function_term(failing, transform=transform)  # type: ignore[arg-type]
    assert term.value(raw) == Failure(reason)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_bad_weights(weight: float) -> None:
    with pytest.raises(ConfigError, match=r"reward term 'qed': weight = .* must be at least 0"):
        property_term("qed", weight=weight)
