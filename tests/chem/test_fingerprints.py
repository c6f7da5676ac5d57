from __future__ import annotations

import pytest
from rdkit import DataStructs

from fluvial.chem.fingerprints import (
    mean_similarity,
    morgan_fingerprints,
    mutually_distant,
    nearest_similarity,
    readable,
    scaffold,
)
from fluvial.core.errors import DataError


def bits(*on: int):
    vector = DataStructs.ExplicitBitVect(16)
    for bit in on:
        vector.SetBit(bit)
    return vector


def test_readable_keeps_the_place_of_what_is_no_molecule():
    mols = readable(["CCO", "C1CC", ""])
    assert [mol is not None for mol in mols] == [True, False, False]


def test_fingerprints_have_the_radius_asked_for():
    mols = readable(["CCCCCCCCO", "CCCCCCCO"])
    near, far = morgan_fingerprints(mols, 1), morgan_fingerprints(mols, 3)
    assert near[0].GetNumBits() == 2048
    # Chains that differ in length only are alike within one bond of each atom.
    assert near[0] == near[1]
    assert far[0].GetNumOnBits() > near[0].GetNumOnBits()


def test_scaffold_drops_side_chains():
    toluene, hexane = readable(["Cc1ccccc1", "CCCCCC"])
    assert scaffold(toluene) == "c1ccccc1"
    assert scaffold(hexane) == ""


def test_mutually_distant_is_greedy_in_order():
    # Tanimoto: 1 and 2 share 1 of 3 bits, 1 and 3 none, 2 and 3 share 1 of 3.
    one, two, three = bits(0, 1), bits(1, 2), bits(2, 3)
    assert mutually_distant([one, two, three], 0.5) == [0, 1, 2]
    assert mutually_distant([one, two, three], 0.7) == [0, 2]
    assert mutually_distant([two, one, three], 0.7) == [0]
    assert mutually_distant([], 0.7) == []


def test_a_fingerprint_without_bits_is_refused():
    with pytest.raises(DataError, match="fingerprint 1 has no bits"):
        mutually_distant([bits(1), bits()], 0.5)


def test_similarities_by_hand():
    one, two, three = bits(0, 1), bits(1, 2), bits(2, 3)
    assert nearest_similarity([one, three], [two, three]) == [1 / 3, 1.0]
    assert mean_similarity([one, two, three]) == pytest.approx((1 / 3 + 0 + 1 / 3) / 3)
