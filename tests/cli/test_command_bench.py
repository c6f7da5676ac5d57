from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

import pytest

from fluvial.cli.bench import ended_by_sigterm


def measure(size: int = 3, label: str = "x") -> dict[str, Any]:
    """How long
    nothing takes.

    More words.
    """
    return {"size": size, "label": label, "seconds": 0.123456789, "odd": float("nan")}


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fluvial.cli.bench.benchmarks", lambda: {"nothing": measure})


def test_the_names_are_listed(call) -> None:
    assert call("bench").stdout == "nothing             How long nothing takes.\n"
    assert "Benchmarks: nothing" in call("bench", "--help").stdout


def test_options_reach_the_benchmark(call) -> None:
    result = call("bench", "nothing", "size=5", "label=y z")
    assert result.stdout == "size     5\nlabel    y z\nseconds  0.123457\nodd      None\n"


def test_a_number_may_be_the_value_of_a_text(call) -> None:
    assert "label    64\n" in call("bench", "nothing", "label=64").stdout


def test_json(call) -> None:
    found = json.loads(call("bench", "nothing", "--json").stdout)
    assert found == {"size": 3, "label": "x", "seconds": 0.123456789, "odd": None}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothin"], "unknown benchmark 'nothin' - did you mean 'nothing'?"),
        (["nothing", "size=abc"], "size = 'abc': must be of the kind of its default"),
        (["nothing", "sise=3"], "this benchmark has no option 'sise'; it has size, label"),
        (["nothing", "size"], "override 'size': must look like key=value"),
    ],
)
def test_wrong_use(call, arguments: list[str], sentence: str) -> None:
    result = call("bench", *arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_sigterm_leaves_a_benchmark_as_an_error_would() -> None:
    before, left = signal.getsignal(signal.SIGTERM), []
    with pytest.raises(SystemExit) as caught, ended_by_sigterm():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60.0)
        finally:
            left.append("children")
    assert caught.value.code == 143
    assert left == ["children"]
    assert signal.getsignal(signal.SIGTERM) is before
