from __future__ import annotations

import pytest

from fluvial.chem.molecules import parse_smiles
from fluvial.core.errors import ConfigError
from fluvial.rewards.filters import alert_filter, range_filter

ASPIRIN = parse_smiles("CC(=O)Oc1ccccc1C(=O)O")


def test_alerts_and_own_patterns() -> None:
    assert alert_filter(["PAINS"]).check(ASPIRIN) is None
    assert alert_filter(["PAINS", "BRENK"]).check(ASPIRIN) == "alert BRENK: phenol_ester"
    assert alert_filter(patterns={"acid": "C(=O)[OH]"}).check(ASPIRIN) == "alert acid"
    with pytest.raises(ConfigError, match="unknown alert set"):
        alert_filter(["nonsense"])


@pytest.mark.parametrize(
    ("low", "high", "reason"),
    [
        (100, 600, None),
        (None, 600, None),
        (100, None, None),
        (180.5, None, "mw 180.2 is below 180.5"),
        (None, 150, "mw 180.2 is above 150"),
    ],
)
def test_ranges(low: float | None, high: float | None, reason: str | None) -> None:
    assert range_filter("MW", low, high).check(ASPIRIN) == reason


def test_bounds_are_inclusive() -> None:
    assert range_filter("heavy_atoms", 13, 13).check(ASPIRIN) is None


def test_bad_ranges() -> None:
    with pytest.raises(ConfigError, match="needs a low or a high bound"):
        range_filter("mw")
    with pytest.raises(ConfigError, match="high = 1 must be at least low = 2"):
        range_filter("mw", 2, 1)
    with pytest.raises(ConfigError, match="unknown property 'mv'"):
        range_filter("mv", 2, 3)
