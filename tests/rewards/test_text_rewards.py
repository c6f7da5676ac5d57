"""Rewards of objects that are not molecules: texts go to users' functions as they are."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from fluvial.core.errors import ConfigError
from fluvial.core.reward_batch import Outcome
from fluvial.rewards.filters import alert_filter
from fluvial.rewards.reward import Reward
from fluvial.rewards.terms import function_term, property_term


def share_of_a(texts: Sequence[str]) -> list[float]:
    return [text.count("a") / len(text) for text in texts]


def picky(texts: Sequence[str]) -> list[float]:
    if "bad" in texts:
        raise ValueError("bad word")
    return [2.0] * len(texts)


def test_words_reach_the_functions_as_they_are() -> None:
    reward = Reward([function_term(share_of_a), function_term(picky)], reads_molecules=False)
    batch = reward(["aab", "bbb", "bad", "aab"])
    assert batch.raw["share_of_a"].tolist() == pytest.approx([2 / 3, 0.0, 1 / 3, 2 / 3])
    assert batch.reward[0] == batch.reward[3] == pytest.approx(4 / 3)
    assert batch.reward[1] == reward.floor
    assert batch.outcome[2] == Outcome.FAILED
    assert "bad word" in batch.info[2]
    assert len(reward([])) == 0


def test_words_are_scored_in_worker_processes_too(tmp_path) -> None:
    (tmp_path / "mine.py").write_text("def length(texts):\n    return [float(len(t)) for t in texts]\n")
    with Reward([function_term("mine.py:length", tmp_path)], workers=1, reads_molecules=False) as reward:
        assert reward(["not a SMILES", "xyz"]).reward.tolist() == [12.0, 3.0]


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"terms": [property_term("qed")]}, "qed"),
        ({"terms": [function_term(picky)], "filters": [alert_filter(["pains"])]}, "alerts"),
        ({"terms": [function_term(picky)], "properties": ["mw"]}, "mw"),
    ],
)
def test_what_needs_molecules_is_refused(more, name) -> None:
    with pytest.raises(ConfigError, match=f"'{name}' needs molecules"):
        Reward(**more, reads_molecules=False)


def test_a_function_of_molecules_is_told_that_words_are_none() -> None:
    def score(molecules):
        return [1.0] * len(molecules)

    batch = Reward([function_term(score)], reads_molecules=False)(["aab", "b"])
    assert batch.outcome.tolist() == [Outcome.FAILED] * 2
    assert "these objects are none" in batch.info[0]
