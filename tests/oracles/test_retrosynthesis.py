"""The server of an external retrosynthesis program, with a stand-in for AiZynthFinder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from fluvial.core.errors import RewardError
from fluvial.queue.jobs import Result
from fluvial.rewards.kept_process import KeptProcess

SERVER = Path(__file__).parents[2] / "examples" / "retrosynthesis_server.py"
STAND_IN = Path(__file__).with_name("fake_aizynthfinder")


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(STAND_IN))


def asked(folder: Path, configuration: dict[str, list[str]], texts: dict[str, str]) -> dict[str, Result]:
    path = folder / "config.json"
    path.write_text(json.dumps(configuration))
    process = KeptProcess([sys.executable, str(SERVER), str(path)], 60.0, names_culprits=True)
    try:
        return dict(process.evaluate(texts, lambda: False))
    finally:
        process.close()


def test_routes_are_told_and_a_molecule_without_one_has_no_steps(tmp_path: Path) -> None:
    found = asked(tmp_path, {"stock": ["own"], "expansion": ["one"]}, {"a": "CCO", "b": "CBr", "c": "X"})
    assert found["a"].values == {"solved": 1.0, "steps": 3.0, "score": 0.75}
    assert found["b"].values == {"solved": 0.0, "steps": None, "score": 0.5}
    assert "no search was possible: Target molecule unsanitizable" in found["c"].reason


def test_without_a_stock_the_worker_is_told(tmp_path: Path) -> None:
    with pytest.raises(RewardError, match="must name a stock and an expansion policy"):
        asked(tmp_path, {"expansion": ["one"]}, {"a": "CCO"})
