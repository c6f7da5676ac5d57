from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from rdkit import Chem

from fluvial.chem.molecules import parse_smiles
from fluvial.core.errors import ConfigError, RewardError
from fluvial.core.reward_batch import Outcome
from fluvial.predictors import registry
from fluvial.predictors.gap import (
    EXTENDED_HUECKEL_ELEMENTS,
    HARTREE_IN_EV,
    extended_hueckel_gap,
    gap_of,
    load_extended_hueckel,
    load_xtb,
    xtb_gap,
)
from fluvial.predictors.geometry import Geometry, embed
from fluvial.rewards.reward import Reward
from fluvial.rewards.terms import named_term, predictor_term

needs_tblite = pytest.mark.skipif(importlib.util.find_spec("tblite") is None, reason="needs the extra xtb")


def hydrogen(distance: float) -> Geometry:
    """H2 with its atoms so many Å apart."""
    mol = Chem.MolFromSmiles("[H][H]")
    conformer = Chem.Conformer(2)
    conformer.SetAtomPosition(1, (distance, 0.0, 0.0))
    mol.AddConformer(conformer)
    return Geometry(mol)


def overlap_of_1s(distance: float, exponent: float = 1.3) -> float:
    """Of two Slater 1s functions, with the exponent of the program (Szabo and Ostlund, eq. 3.229)."""
    x = exponent * distance / 0.529177210903
    return float(np.exp(-x) * (1 + x + x**2 / 3))


@pytest.mark.parametrize("distance", [0.74, 1.2, 2.0])
def test_extended_hueckel_of_hydrogen_by_hand(distance: float) -> None:
    """E = (-13.6 -+ 1.75 * 13.6 S) / (1 +- S), in eV."""
    overlap = overlap_of_1s(distance)
    low = -13.6 * (1 + 1.75 * overlap) / (1 + overlap)
    high = -13.6 * (1 - 1.75 * overlap) / (1 - overlap)
    assert extended_hueckel_gap(hydrogen(distance)) == pytest.approx(high - low, rel=0.02)


def test_gaps_of_orbitals_by_hand() -> None:
    energies = np.array([-10.0, -8.0, -3.0, 1.0])
    assert gap_of(energies, 4) == 5.0
    assert gap_of(energies, 2) == 2.0
    assert "odd number of electrons, 3" in str(gap_of(energies, 3))
    assert "no empty orbital: 8 electrons in 4" in str(gap_of(energies, 8))
    assert "no empty orbital: 0 electrons" in str(gap_of(energies, 0))


def test_conjugation_narrows_the_gap() -> None:
    polyenes = [parse_smiles("C=C" * length) for length in (1, 2, 3, 4)]
    gaps = load_extended_hueckel()(polyenes).values
    assert (np.diff(gaps) < 0).all()
    assert 1.0 < gaps[-1] < gaps[0] < 6.0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[CH3]", "odd number of electrons, 7"),
        ("[Na+].[Cl-]", "2 separate parts"),
        ("[U]", "element U has no orbitals"),
        ("C[Fe]C", "element Fe has no orbitals"),
    ],
)
def test_what_cannot_be_calculated_has_a_reason(text: str, reason: str) -> None:
    found = load_extended_hueckel()([parse_smiles(text), parse_smiles("C"), Chem.Mol()])
    assert reason in found.reasons[0]
    assert found.reasons[1:] == ("", "it has no atoms")
    assert np.isfinite(found.values).tolist() == [False, True, False]


def test_every_accepted_element_survives() -> None:
    """The program ends the process for elements it does not know, so this runs in one of its own."""
    program = (
        "from rdkit.Chem import GetPeriodicTable\n"
        "from fluvial.chem.molecules import parse_smiles\n"
        "from fluvial.predictors.gap import EXTENDED_HUECKEL_ELEMENTS, load_extended_hueckel\n"
        "table = GetPeriodicTable()\n"
        "bonds = {z: max(min(table.GetValenceList(z)), 1) for z in EXTENDED_HUECKEL_ELEMENTS if z > 1}\n"
        "texts = [f'[{table.GetElementSymbol(z)}H{n}]' for z, n in bonds.items()]\n"
        "found = load_extended_hueckel()([parse_smiles(text) for text in texts])\n"
        "print(len(texts), [reason for reason in found.reasons if reason])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == f"{len(EXTENDED_HUECKEL_ELEMENTS) - 1} []", done.stderr
    assert done.stderr == ""


def test_a_gap_does_not_depend_on_the_order_of_atoms_or_on_the_call() -> None:
    mol = parse_smiles("CC(=O)Oc1ccccc1C(=O)O")
    turned = Chem.RenumberAtoms(mol, np.random.default_rng(0).permutation(mol.GetNumAtoms()).tolist())
    first, second, again = load_extended_hueckel()([mol, turned, mol]).values
    assert first == second == again


def test_embedding_gives_all_hydrogens_and_angstroms() -> None:
    found = embed(parse_smiles("[NH4+]"))
    assert isinstance(found, Geometry)
    assert found.elements.tolist() == [7, 1, 1, 1, 1]
    assert found.charge == 1
    lengths = np.linalg.norm(found.positions[1:] - found.positions[0], axis=1)
    assert ((lengths > 0.95) & (lengths < 1.15)).all()


def test_as_a_term_of_a_reward() -> None:
    reward = Reward([named_term("gap")])
    found = reward(["C=C", "[CH3]"])
    assert found.outcome.tolist() == [Outcome.VALUE, Outcome.FAILED]
    assert found.raw["gap"][0] == pytest.approx(found.reward[0])
    assert "odd number" in found.info[1]
    assert reward.sources == {"gap": "predictor gap: extended Hückel theory (RDKit) on an ETKDG conformer"}
    with pytest.raises(ConfigError, match=r"unknown method of the gap 'dft' .*extended_hueckel, xtb"):
        registry.gap("dft")


@needs_tblite
def test_xtb_gaps_are_in_electronvolt() -> None:
    gap = xtb_gap(hydrogen(0.74))
    assert isinstance(gap, float)
    assert 15.0 < gap < 30.0  # 11 eV are the excitation, the difference of orbitals is larger
    found = load_xtb()([parse_smiles(text) for text in ("C=C", "c1ccccc1", "[CH3]", "[U]")])
    assert found.values[:2] == pytest.approx([5.4, 4.9], abs=0.3)
    assert "odd number" in found.reasons[2]
    assert "GFN2-xTB gave up" in found.reasons[3]
    assert abs(HARTREE_IN_EV - 27.2114) < 1e-4


def test_without_tblite_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tblite.interface", None)
    with pytest.raises(RewardError, match=r"pip install 'fluvial\[xtb\]'"):
        Reward([predictor_term(registry.gap("xtb"))])
