from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from fluvial.chem.molecules import canonical_smiles, parse_smiles
from fluvial.chem.vocabulary import Fragment, load_vocabulary

SCRIPT = Path(__file__).parents[2] / "scripts" / "derive_vocabulary.py"


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("derive_vocabulary", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up while it is being loaded
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_the_packaged_table_is_what_the_script_derives(script: ModuleType) -> None:
    packaged = script.TARGET.read_bytes()
    assert script.derive().encode() == packaged
    assert len(packaged) < 100_000


@pytest.mark.parametrize(
    ("smiles", "cuts"),
    [
        ("Cc1ccccc1", {(0, 1)}),
        ("c1ccccc1-c1ccccc1", {(5, 6)}),
        ("CCNC", {(1, 2), (2, 3)}),
        ("CC(=O)NC", {(0, 1), (3, 4)}),
        ("O=C(O)c1ccccc1", {(1, 3)}),
        ("O=C(OC)c1ccccc1", {(2, 3)}),
        ("NS(=O)(=O)c1ccccc1", set()),
        ("O=C(c1ccccc1)c1ccccc1", set()),
        ("FC(F)(F)c1ccccc1", {(1, 4)}),
        ("CCCC", set()),
    ],
)
def test_bonds_that_are_cut(script: ModuleType, smiles: str, cuts: set[tuple[int, int]]) -> None:
    assert script.cut_bonds(parse_smiles(smiles)) == cuts


def test_attachment_atoms_are_whole_symmetry_classes(script: ModuleType) -> None:
    mols = [parse_smiles(smiles) for smiles in ("Cc1ccncc1", "Clc1ccncc1", "Cc1cccnc1")]
    tallies = script.tally_pieces(mols)
    assert tallies["c1ccncc1"].n_molecules == 3
    assert script.choose_points(parse_smiles("c1ccncc1"), tallies["c1ccncc1"]) == (0, 1, 5)
    assert script.choose_points(parse_smiles("C"), tallies["C"]) == (0,)


@pytest.mark.parametrize(
    ("smiles", "points", "names"),
    [
        ("c1ccccc1", (0,), []),
        ("NC=O", (0, 1), []),
        ("O=CO", (1,), []),
        ("C=O", (0,), ["aldehyde or formate"]),
        ("NN", (0,), ["N-N chain"]),
        ("OO", (0,), ["peroxide or N-O"]),
        ("CCl", (0,), ["alkyl halide"]),
        ("O=[NH+][O-]", (1,), ["charge"]),
    ],
)
def test_unwanted_groups(script: ModuleType, smiles: str, points: tuple[int, ...], names: list[str]) -> None:
    assert script.unwanted_groups(Fragment(smiles, points)) == names


def test_pieces_made_of_others_are_left_out(script: ModuleType) -> None:
    methane, oxygen = Fragment("C", (0, 0)), Fragment("O", (0, 0))
    methanol, isobutane = Fragment("CO", (0, 1)), Fragment("CC(C)C", (1,))
    assert script.irreducible([methanol, methane, isobutane, oxygen]) == [methane, oxygen, isobutane]


def test_every_pattern_and_supplement_is_well_formed(script: ModuleType) -> None:
    for smarts in [*script.CUTS.values(), *script.KEPT.values(), *script.UNWANTED.values()]:
        assert script._pattern(smarts) is not None
    packaged = {fragment.smiles: fragment.points for fragment in load_vocabulary("default").fragments}
    for smiles, points in script.SUPPLEMENT.items():
        assert canonical_smiles(parse_smiles(smiles)) == smiles
        assert packaged[smiles] == points
