from __future__ import annotations

import pytest

from fluvial.bench.delay import MARK, Late, run
from fluvial.bench.known import grid
from fluvial.core.errors import ConfigError
from fluvial.envs.hypergrid import Hypergrid

KNOWN = grid(Hypergrid(2, 8))


def test_each_answer_comes_so_many_batches_late() -> None:
    late = Late(KNOWN.problem.score, delay=2)
    first, second = late(["0,0", "1,0"]), late(["0,0", "2,2"])
    assert [item.reward for item in first + second] == [None] * 4
    names = [item.text for item in first]
    assert names == [f"0,0{MARK}1", f"1,0{MARK}1"]
    assert late.still_open() == {item.text for item in first + second}
    late.wait()
    assert late.still_open() == {item.text for item in second}
    assert [item.reward for item in late(names)] == [KNOWN.objects[text].reward for text in ("0,0", "1,0")]


def test_failures_are_drawn_anew_for_each_question() -> None:
    late = Late(KNOWN.problem.score, delay=0, failures=0.2)
    found = [item for _ in range(100) for item in late(["0,0", "3,3", "7,7"])]
    share = sum(item.reward is None for item in found) / len(found)
    # Three standard deviations of 300 draws at 0.2 are 0.07.
    assert 0.13 < share < 0.27
    assert all(item.reward in (None, KNOWN.objects[item.text].reward) for item in found)


def test_too_few_calls_are_refused() -> None:
    with pytest.raises(ConfigError, match="must be at least 3200"):
        run(calls=1000)


def test_it_measures_both(capsys: pytest.CaptureFixture[str]) -> None:
    found = run(calls=320, delay=2, seeds=1)
    assert found["ratio"] == found["mean_late"] / found["mean_at_once"]
    assert "320 calls" in capsys.readouterr().err


@pytest.mark.long
def test_rewards_that_fail_at_random_lead_to_the_same_distribution() -> None:
    found = run(calls=12_800, delay=0, failures=0.2, seeds=1)
    assert found["mean_at_once"] < 0.25
    assert found["mean_late"] < found["mean_at_once"] + 0.05
