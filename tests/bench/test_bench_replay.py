from __future__ import annotations

from fluvial.bench.replay import run


def test_a_small_one() -> None:
    found = run(rows=3000, repeats=3)
    assert found["rows"] == 3000
    assert found["row_bytes"] == 42
    assert 80.0 < found["bytes"] < 120.0
    assert found["reward_draw_milliseconds"] > 0.0
    assert found["rebuild_seconds"] > 0.0
