from __future__ import annotations

import pytest
from rdkit import Chem

from fluvial.core.errors import ConfigError
from fluvial.rewards.diversity import RULES, Diversity, Limits, murcko, topological

BENZENES = ["Cc1ccccc1", "CCc1ccccc1", "CCCc1ccccc1", "Oc1ccccc1"]
PYRIDINE = "Cc1ccccn1"
CYCLOHEXANE = "CC1CCCCC1"


def made(rule: str, **limits: float) -> Diversity:
    return Diversity(rule, Limits(**limits), 1e-4)  # type: ignore[arg-type]


def good(n: int) -> list[float | None]:
    return [0.9] * n


def test_labels() -> None:
    assert murcko(Chem.MolFromSmiles("CCc1ccccc1")) == "c1ccccc1"
    assert topological(Chem.MolFromSmiles("CCc1ccccn1")) == "C1CCCCC1"
    assert murcko(Chem.MolFromSmiles("CCO")) == topological(Chem.MolFromSmiles("CCO")) == ""


def test_a_scaffold_has_room_for_so_many_different_molecules() -> None:
    diversity = made("IdenticalMurckoScaffold", bucket_size=2)
    assert diversity.factors(BENZENES[:3], good(3)) == [1.0, 1.0, 0.0]
    assert diversity.factors([BENZENES[2], BENZENES[0], PYRIDINE], good(3)) == [0.0, 1.0, 1.0]


def test_poor_and_failed_molecules_take_no_room() -> None:
    diversity = made("IdenticalMurckoScaffold", bucket_size=1)
    assert diversity.factors(BENZENES[:3], [0.39, None, 0.4]) == [1.0, 1.0, 1.0]
    assert diversity.factors(BENZENES[:3], good(3)) == [0.0, 0.0, 1.0]


def test_topological_scaffolds_see_rings_only() -> None:
    diversity = made("IdenticalTopologicalScaffold", bucket_size=1)
    assert diversity.factors([BENZENES[0], PYRIDINE, CYCLOHEXANE, "CC1CCCC1"], good(4)) == [
        1.0,
        0.0,
        0.0,
        1.0,
    ]


def test_similar_scaffolds_share_a_bucket() -> None:
    near, far = ["c1ccc(-c2ccccc2)cc1", "c1ccc(Cc2ccccc2)cc1"], "C1CCNC1"
    assert made("ScaffoldSimilarity", bucket_size=1, similarity=0.3).factors([*near, far], good(3)) == [
        1,
        0,
        1,
    ]
    assert made("ScaffoldSimilarity", bucket_size=1, similarity=0.99).factors([*near, far], good(3)) == [
        1,
        1,
        1,
    ]


def test_similar_molecules_share_a_bucket() -> None:
    diversity = made("Tanimoto", bucket_size=1, similarity=0.5)
    assert diversity.factors(["CCCCCCCCO", "CCCCCCCCCO", "c1ccncc1"], good(3)) == [1.0, 0.0, 1.0]


def test_each_repetition_costs_a_factor() -> None:
    diversity = made("PenalizeSameSmiles", factor=0.5)
    assert diversity.factors(["CCO", "CCO", "CCC", "CCO"], good(4)) == [1.0, 0.5, 1.0, 0.25]


@pytest.mark.parametrize("rule", RULES)
def test_the_memory_goes_on_exactly(rule: str) -> None:
    texts = [*BENZENES, PYRIDINE, CYCLOHEXANE, "CCO", "CCO", "CCCCCCCCO", "CCCCCCCCCO"]
    limits = {"bucket_size": 2, "similarity": 0.3}
    whole, first, second = (made(rule, **limits) for _ in range(3))
    expected = whole.factors(texts * 2, good(2 * len(texts)))
    found = first.factors(texts[:7], good(7))
    second.load_state_dict(first.state_dict())
    found += second.factors((texts * 2)[7:], good(2 * len(texts) - 7))
    assert found == expected
    assert second.state_dict() == whole.state_dict()
    assert min(expected) < 1.0


def test_names_are_read_in_any_spelling_and_numbers_are_checked() -> None:
    assert made("penalizesamesmiles").rule is RULES["PenalizeSameSmiles"]
    with pytest.raises(ConfigError, match="unknown diversity filter 'IdenticalMurcko'"):
        made("IdenticalMurcko")
    with pytest.raises(ConfigError, match="bucket_size = 0 must be at least 1"):
        Limits(0)
    with pytest.raises(ConfigError, match="factor = 2 must be 0 to 1"):
        Limits(factor=2.0)
