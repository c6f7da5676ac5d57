from __future__ import annotations

import pytest

from fluvial.chem.valence import check_element, implied_hydrogens, most_bonds
from fluvial.core.errors import ConfigError


@pytest.mark.parametrize(
    ("symbol", "charge", "most"),
    [
        *(("C", 0, 4), ("N", 0, 3), ("N", 1, 4), ("N", -1, 2), ("O", 0, 2), ("O", 1, 3), ("O", -1, 1)),
        *(("S", 0, 6), ("P", 0, 5), ("Cl", 0, 1), ("Fe", 0, None), ("F", -2, None)),
    ],
)
def test_most_bonds_of_atoms(symbol: str, charge: int, most: int | None) -> None:
    assert most_bonds(symbol, charge) == most


def test_hydrogens_follow_from_bonds() -> None:
    assert [implied_hydrogens("C", 0, n) for n in range(5)] == [4, 3, 2, 1, 0]
    # Sulphur goes on to its next valence.
    assert [implied_hydrogens("S", 0, n) for n in range(7)] == [2, 1, 0, 1, 0, 1, 0]


@pytest.mark.parametrize("symbol", ["H", "Xx", "Fe", ""])
def test_what_cannot_be_built_of_is_refused(symbol: str) -> None:
    with pytest.raises(ConfigError):
        check_element(symbol)
