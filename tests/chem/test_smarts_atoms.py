from __future__ import annotations

import pytest
from rdkit import Chem

from fluvial.chem.smarts_atoms import AtomText, atom_options, atom_text


@pytest.mark.parametrize(
    ("smarts", "expected"),
    [
        ("[Br]", AtomText(frozenset([35]), False, None, None)),
        ("[F,Cl]", AtomText(frozenset([9, 17]), False, None, None)),
        ("[#7;H1:2]", AtomText(frozenset([7]), None, None, 1)),
        ("[nH:2]", AtomText(frozenset([7]), True, None, 1)),
        ("[C,c:4]", AtomText(frozenset([6]), None, None, None)),
        ("[NH2,NH3+:1]", AtomText(frozenset([7]), False, None, None)),
        ("[N+:4]", AtomText(frozenset([7]), False, 1, None)),
        ("[O-]", AtomText(frozenset([8]), False, -1, None)),
        ("[*:1]", AtomText(None, None, None, None)),
        ("[$([CX4]),c:1]", AtomText(frozenset([6]), None, None, None)),
        ("[N;!H0;!$(N-C=O):6]", AtomText(frozenset([7]), False, None, None)),
        ("[OX2H1;$(O[c]):1]", AtomText(frozenset([8]), False, None, 1)),
        ("[!#6]", AtomText(None, None, None, None)),
    ],
)
def test_what_an_atom_fixes(smarts, expected):
    assert atom_text(Chem.MolFromSmarts(smarts).GetAtomWithIdx(0)) == expected


@pytest.mark.parametrize(
    ("smarts", "expected"),
    [
        (
            "[NH2,NH3+:1]",
            {AtomText(frozenset([7]), False, None, 2), AtomText(frozenset([7]), False, 1, 3)},
        ),
        (
            "[N,O;H1,H2]",
            {AtomText(frozenset([one]), False, None, hydrogens) for one in (7, 8) for hydrogens in (1, 2)},
        ),
        ("[#6;C,c]", {AtomText(frozenset([6]), aromatic, None, None) for aromatic in (True, False)}),
        ("[C,N,O,S;H0,H1,H2;+0,+1,-1]", {AtomText(frozenset([6, 7, 8, 16]), False, None, None)}),
        ("*", {AtomText(None, None, None, None)}),
    ],
)
def test_alternatives_are_told_apart_unless_they_are_too_many(smarts, expected):
    assert set(atom_options(Chem.MolFromSmarts(smarts).GetAtomWithIdx(0))) == expected
