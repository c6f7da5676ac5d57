from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rdkit import RDConfig

from fluvial.report.depict import picture

ALLOWED = {"viewBox", "aria-hidden", "id", "d"} | {
    "fill",
    "fill-rule",
    "stroke",
    "stroke-width",
    "stroke-linecap",
    "stroke-linejoin",
    "stroke-dasharray",
}


def nci(n: int) -> list[str]:
    lines = (Path(RDConfig.RDDataDir) / "NCI" / "first_5K.smi").read_text().splitlines()
    return [line.split()[0] for line in lines[:n]]


def test_benzene_is_six_bonds_and_no_letters() -> None:
    svg = picture("c1ccccc1", "m0")
    assert svg is not None
    (path,) = ElementTree.fromstring(str(svg)).iter("path")
    # 6 single bonds, 3 inner lines of double bonds, 6 joints.
    assert path.attrib["d"].count("M") == 15
    assert 'id="m0"' in svg


def test_letters_and_colours_of_atoms_are_drawn() -> None:
    svg = picture("OCCN", "m0")
    assert svg is not None
    letters = [node for node in ElementTree.fromstring(str(svg)).iter("path") if "fill" in node.attrib]
    assert len({node.attrib["fill"] for node in letters}) == 2


def test_real_molecules_are_small_and_hold_only_drawing() -> None:
    sizes = []
    for index, smiles in enumerate(nci(150)):
        svg = picture(smiles, f"m{index}")
        assert svg is not None
        sizes.append(len(svg))
        for node in ElementTree.fromstring(str(svg)).iter():
            assert node.tag in {"svg", "g", "path"}
            assert set(node.attrib) <= ALLOWED
            assert re.fullmatch(r"[MLQCZ\d. -]*", node.attrib.get("d", ""))
        assert not re.search(r"\d\.\d\d", str(svg))
    assert max(sizes) <= 8192
    assert sum(sizes) / len(sizes) < 4096


@pytest.mark.parametrize(
    "smiles",
    [
        "",
        "not a molecule",
        "c1ccccc",
        "C(C)(C)(C)(C)C",
        "<script>alert(1)</script>",
        "CCO <b>name</b>",
        "CC |$<script>$|",
        "C" * 151,
        "C" * 5000,
        "é",
        "\ud800",
        "C\0C",
    ],
)
def test_what_is_no_drawable_molecule_has_no_picture(smiles: str) -> None:
    assert picture(smiles, "m0") is None


@pytest.mark.parametrize(
    "smiles", ["N->[Pt](Cl)Cl", "[CH3:5]C~C", "C[C@H](F)Cl", "*CC", "[Na+].[Cl-]", "[H][H]", "C"]
)
def test_unusual_molecules_are_drawn(smiles: str) -> None:
    svg = picture(smiles, "m0")
    assert svg is not None
    assert ElementTree.fromstring(str(svg)).findall(".//path")


def test_the_identity_is_escaped() -> None:
    assert '"><script>' not in str(picture("CC", '"><script>'))
