from __future__ import annotations

import pytest

from fluvial.bench import environments
from fluvial.bench.environments import ENVIRONMENTS, measured
from fluvial.core.errors import ConfigError
from fluvial.envs.sequences.environment import Sequences


def test_a_row_for_each_size_of_each_environment() -> None:
    found = environments.run("sets,sequences", batches="2,8", repeats=1)
    rows = found["rows"]
    assert [(row["environment"], row["batch"]) for row in rows] == [
        ("sets", 2),
        ("sets", 8),
        ("sequences", 2),
        ("sequences", 8),
    ]
    # Sets of exactly 20 items and words of exactly 60 letters, each with a stop.
    assert [row["transitions"] for row in rows] == [2 * 21, 8 * 21, 2 * 61, 8 * 61]
    for row in rows:
        assert row["transitions_per_second"] == row["transitions"] / row["cpu_seconds"]


def test_growth_is_the_power_of_the_batch() -> None:
    first, second = measured(Sequences("ab", 3, 3), [4, 16], repeats=2)
    assert first["growth"] is None
    ratio = second["cpu_seconds"] / first["cpu_seconds"]
    assert 4.0 ** second["growth"] == pytest.approx(ratio)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_each_environment_can_be_measured(name: str) -> None:
    (row,) = measured(ENVIRONMENTS[name](), [2], repeats=1)
    assert row["transitions"] >= 2.0


def test_unknown_names() -> None:
    with pytest.raises(ConfigError, match="did you mean 'graphs'"):
        environments.run("graph")
