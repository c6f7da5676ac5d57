from __future__ import annotations

from pathlib import Path

import pytest

from fluvial.chem.molecules import parse_smiles
from fluvial.core.errors import ConfigError
from fluvial.core.reward_batch import Outcome
from fluvial.rewards.filters import alert_filter, range_filter, rule_filter
from fluvial.rewards.lilly import lilly_filter
from fluvial.rewards.reward import Reward
from fluvial.rewards.terms import property_term

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


# Rules of thumb


@pytest.mark.parametrize(
    ("rule", "smiles", "reason"),
    [
        ("lipinski", "CC(=O)Oc1ccccc1C(=O)O", None),
        ("lipinski", "C" * 20, None),  # log P alone
        ("lipinski", "C" * 40, "lipinski: mw 563.1 is above 500; logp 15.85 is above 5"),
        ("veber", "C" * 20, "veber: rotatable_bonds 17 is above 10"),
        ("rule_of_three", "CC(=O)Oc1ccccc1C(=O)O", "rule_of_three: tpsa 63.6 is above 60"),
        (
            "ghose",
            "CCO",
            "ghose: mw 46.07 is below 160; molar refractivity 12.76 is below 40; atoms 9 is below 20",
        ),
        ("lead_like", "CCO", "lead_like: mw 46.07 is below 250"),
        ("egan", "CCO", None),
        ("muegge", "c1ccccc1", "muegge: mw 78.11 is below 200; heteroatoms 0 is below 2"),
    ],
)
def test_rules(rule: str, smiles: str, reason: str | None) -> None:
    assert rule_filter(rule).check(parse_smiles(smiles)) == reason


def test_the_number_of_violations_can_be_chosen() -> None:
    chain = parse_smiles("C" * 20)
    assert rule_filter("lipinski", violations=0).check(chain) == "lipinski: logp 8.048 is above 5"
    assert rule_filter("Lipinski", violations=2).check(parse_smiles("C" * 40)) is None
    with pytest.raises(ConfigError, match="unknown rule 'lipinsky'"):
        rule_filter("lipinsky")


# Lilly's program

PROGRAM = """\
#!/usr/bin/env python3
import sys
lines = open(sys.argv[1]).read().splitlines()
if any("Br" in line for line in lines):
    sys.exit("cannot read it")
with open("bad0.smi", "w") as bad:
    for line in lines:
        if "[N+]" in line:
            bad.write(line + " TP1 nitro\\n")
        elif "I" not in line:
            print(line + " : D(30)")
"""


@pytest.fixture
def lilly(tmp_path: Path) -> str:
    path = tmp_path / "lilly"
    path.write_text(PROGRAM)
    path.chmod(0o755)
    return str(path)


def test_lilly_rejects_a_batch_with_one_call(lilly: str) -> None:
    reward = Reward(
        [property_term("qed")], filters=[alert_filter(patterns={"acid": "C(=O)[OH]"}), lilly_filter(lilly)]
    )
    batch = reward(["CCO", "CC(=O)O", "CC[N+](=O)[O-]", "c1ccccc1"])
    assert [Outcome(one) for one in batch.outcome] == [
        Outcome.VALUE, Outcome.FILTERED, Outcome.FILTERED, Outcome.VALUE,
    ]  # fmt: skip
    assert batch.info == ["", "alert acid", "Lilly: TP1 nitro", ""]
    assert lilly_filter(lilly).check(parse_smiles("CC[N+](=O)[O-]")) == "Lilly: TP1 nitro"


def test_what_lilly_does_not_say_is_no_verdict(lilly: str) -> None:
    reward = Reward([property_term("qed")], filters=[lilly_filter(lilly)])
    for smiles, words in {
        "CI": "does not say what became of 1 of 2",
        "CBr": "exit code 1: cannot read it",
    }.items():
        batch = reward([smiles, "CCO"])
        assert set(batch.outcome) == {Outcome.FAILED_FOR_NOW}
        assert words in batch.info[0]
    with pytest.raises(ConfigError, match=r"no-lilly: there is no such program\. Install"):
        lilly_filter("no-lilly")
