from __future__ import annotations

from pathlib import Path

import pytest

from fluvial.core.errors import ConfigError, RewardError
from fluvial.rewards.flags import parse_reward_flag
from fluvial.rewards.reward import Reward


def test_product_of_properties() -> None:
    assert [term.name for term in parse_reward_flag("qed * SA")] == ["qed", "sa"]
    batch = Reward(parse_reward_flag("qed*sa"))(["CC(=O)Oc1ccccc1C(=O)O"])
    assert batch.reward[0] == pytest.approx(0.550122 * (10 - 1.580040) / 9, abs=1e-6)


def test_function_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "f.py").write_text("def score(smiles): return [0.5] * len(smiles)\n")
    terms = parse_reward_flag("f.py:score*qed", tmp_path)
    assert [(term.name, term.kind) for term in terms] == [("score", "function"), ("qed", "qed")]
    assert Reward(terms)(["CC(=O)Oc1ccccc1C(=O)O"]).reward[0] == pytest.approx(0.275061, abs=1e-6)


def test_bad_flags() -> None:
    with pytest.raises(
        ConfigError, match=r"unknown reward property 'qde' - did you mean 'qed'.*known: qed, sa,"
    ):
        parse_reward_flag("sa*qde")
    for text in ("", "qed**sa", "*qed"):
        with pytest.raises(ConfigError, match="has an empty factor"):
            parse_reward_flag(text)
    with pytest.raises(RewardError, match=r"write it as file\.py:function"):
        parse_reward_flag("f.py")
