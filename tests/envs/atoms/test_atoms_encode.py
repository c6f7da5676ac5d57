"""Molecules to states and back, and why not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from rdkit import Chem, RDConfig

from fluvial.chem.molecules import canonical_smiles
from fluvial.core.environment import Found
from fluvial.envs.atoms.environment import Atoms

ELEMENTS = ("C", "N", "O", "F", "P", "S", "Cl", "Br", "I", "B", "Si", "Se", "As")
WIDE = Atoms(
    elements=ELEMENTS, max_atoms=80, charges=(0, 1, -1), explicit_h=(0, 1, 2, 3, 4), no_implicit=True
)


def bundled() -> list[str]:
    """The molecules that come with RDKit."""
    lines = (Path(RDConfig.RDDataDir) / "NCI" / "first_5K.smi").read_text().splitlines()
    return [line.split()[0] for line in lines]


def round_trip(env: Atoms, texts: list[str]) -> tuple[int, Counter[str]]:
    """How many molecules come back the same, and the kinds of reasons why others were refused."""
    encoded = env.encode(texts)
    reasons = Counter[str]()
    n_same = 0
    for text, found, back, reason in zip(
        texts, encoded.found.tolist(), env.decode(encoded.states), env.refusals(texts), strict=True
    ):
        if found == Found.ONE:
            n_same += back == canonical_smiles(Chem.MolFromSmiles(text))
        else:
            symbols = {atom.GetSymbol() for atom in Chem.MolFromSmiles(text, sanitize=False).GetAtoms()}
            is_own = symbols <= {*ELEMENTS, "H"}
            reasons[" ".join(reason.split()[:3]) if is_own and found == Found.NONE else "foreign"] += 1
    return n_same, reasons


def test_two_hundred_bundled_molecules_come_back() -> None:
    texts = bundled()[::25]
    n_same, reasons = round_trip(WIDE, texts)
    assert n_same == 187
    assert reasons == {"foreign": 7, "it has several": 6}


@pytest.mark.long
def test_all_bundled_molecules_come_back() -> None:
    n_same, reasons, texts = 0, Counter[str](), bundled()
    for first in range(0, len(texts), 500):
        same, why = round_trip(WIDE, texts[first : first + 500])
        n_same, reasons = n_same + same, reasons + why
    # All of one part, of the elements and of at most 80 atoms; the others are salts and the like.
    assert n_same == 4718
    assert reasons == {"foreign": 169, "it has several": 110, "it has 90": 1, "it has 122": 1}


@pytest.mark.parametrize(
    "text",
    ["C[C@H](N)O", "C[C@@H](N)O", "C[S@](=O)CC", "N[C@@H](C)C(=O)O", "F[C@](Cl)(Br)I", "C[C@H]1OC1=O"],
)
def test_right_and_left_are_kept(text: str) -> None:
    env = Atoms(elements=("C", "N", "O", "S", "F", "Cl", "Br", "I"), max_atoms=8, chirality=True)
    found = env.encode([text])
    assert found.found.tolist() == [Found.ONE]
    assert env.decode(found.states) == [canonical_smiles(Chem.MolFromSmiles(text))]
    mirrored = text.replace("@@", "?").replace("@", "@@").replace("?", "@")
    assert int(env.key(env.encode([mirrored]).states)) != int(env.key(found.states))
    without = env.encode([text.replace("@", "").replace("[CH]", "C").replace("[S]", "S")]).states
    assert int(env.key(without)) != int(env.key(found.states))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("C(", "C("),
        ("CC.O", "several parts"),
        ("CCl", "atom 1 is Cl, which is not among the elements"),
        ("CCCCCC", "it has 6 atoms, more than max_atoms = 5"),
        ("C[NH3+]", "has charge +1, which is not among the charges"),
        ("[13CH4]", "isotopes"),
        ("C[C@H](N)O", "stereocentres need chirality = True"),
        ("C/C=C/C", "the sides of double bonds"),
        ("[CH3]", "has 3 hydrogens"),
        ("C1CCCC1", "it has a ring of 5 atoms"),
        ("C#N", "has order 3, not in bond_orders"),
        ("O", "it has 1 atoms, fewer than min_atoms = 2"),
    ],
)
def test_refusals_say_why(text: str, reason: str) -> None:
    env = Atoms(elements=("C", "N", "O"), max_atoms=5, min_atoms=2, max_ring_size=4, bond_orders=(1, 2))
    assert reason in env.refusals([text])[0]
    assert env.encode([text]).found.tolist() != [Found.ONE]


def test_kekule_forms_are_one_molecule() -> None:
    env = Atoms(max_atoms=7)
    states = env.encode(["CC1=CC=CC=C1", "CC1C=CC=CC=1", "Cc1ccccc1"]).states
    assert len(set(env.key(states).tolist())) == 1
    # 2 automorphisms and 2 Kekulé forms.
    assert env.log_symmetry(states).tolist() == [0.0] * 3
    benzene = env.encode(["c1ccccc1"]).states
    assert float(env.log_symmetry(benzene).exp()) == pytest.approx(6.0)


def test_scaffolds_are_kept_and_wildcards_filled() -> None:
    env = Atoms(elements=("C", "O"), max_atoms=8, scaffold="c1ccccc1*")
    start = env.initial(1)
    assert env.decode(start) == ["*c1ccccc1"]
    assert not bool(env.mask(start)[0, 0])
    # The one open atom becomes carbon or oxygen; other actions attach an atom and leave it open.
    texts = set()
    for action in env.mask(start)[0].nonzero()[:, 0].tolist():
        text = env.decode(env.step(start, torch.tensor([action])))[0]
        if "*" not in text:
            texts.add(text)
    assert texts == {"Cc1ccccc1", "Oc1ccccc1"}
    assert env.encode(["CCCCCCCC"]).found.tolist() == [Found.NONE]
    assert "does not contain the scaffold" in env.refusals(["CCCCCCCC"])[0]


def test_patterns_hold_back_the_stop() -> None:
    env = Atoms(elements=("C", "O"), max_atoms=3, forbidden=("OO",), required=("O",))
    texts = ["CO", "CC", "OO", "COC", "OOO", "O1OO1"]
    # Where nothing else is legal, the stop is.
    assert env.encode(texts).found.tolist() == [
        Found.ONE,
        *[Found.NONE] * 2,
        Found.ONE,
        Found.NONE,
        Found.ONE,
    ]
    assert "forbidden pattern" in env.refusals(["OO"])[0]
