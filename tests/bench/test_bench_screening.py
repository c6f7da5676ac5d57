from __future__ import annotations

from fluvial.bench.screening import calls_to, run, top


def test_a_small_one() -> None:
    found = run(oracle="tpsa", molecules=300, calls=100, start=40, seeds=1)
    assert found["calls"] == 100
    assert found["screened_mean"] > found["plain_mean"]
    assert len(found["seeds"]) == 1


def test_the_figures() -> None:
    assert top([1.0, 5.0, 3.0], 2) == 4.0
    assert calls_to([1.0, 2.0, 3.0, 4.0], 2.5, 2) == 3
    assert calls_to([1.0, 2.0], 9.0, 2) == 2
