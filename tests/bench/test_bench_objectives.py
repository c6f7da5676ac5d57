"""The table of learning rules: its rows, its lines, and the time of a step."""

from __future__ import annotations

import math

import pytest

from fluvial.bench import objectives
from fluvial.bench.known import coloured_graphs, grid
from fluvial.core.errors import NonFiniteLossError
from fluvial.envs.hypergrid import Hypergrid


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    problems = {
        "hypergrid": lambda: grid(Hypergrid(2, 3)),
        "graphs_constant": lambda: coloured_graphs("constant", max_nodes=2),
    }
    monkeypatch.setattr(objectives, "PROBLEMS", problems)
    monkeypatch.setattr(objectives, "TIMED_STEPS", 3)


def test_rows_of_a_distribution_and_of_a_reward(capsys: pytest.CaptureFixture[str]) -> None:
    found = objectives.run("hypergrid,graphs_constant", "tb,a2c", "uniform", steps=3, batch=4, seeds=2)
    names = [(row["problem"], row["rule"]) for row in found["rows"]]
    # On graphs of equal worth there is nothing to earn.
    assert names == [
        ("hypergrid", "tb, uniform"),
        ("hypergrid", "a2c, uniform"),
        ("graphs_constant", "tb, uniform"),
    ]
    tb, a2c, _ = found["rows"]
    assert tb["steps"] == 3
    assert tb["batch"] == 4
    assert len(tb["total_variation"]) == 2
    assert tb["mean_total_variation"] == pytest.approx(sum(tb["total_variation"]) / 2)
    assert all(0.0 < value < 1.0 for value in tb["total_variation"] + tb["untrained_total_variation"])
    assert 0.0 < a2c["mean_gain"] < a2c["mean_best_gain"]
    assert all(row["step_seconds"] > 0.0 and row["step_over_tb"] > 0.0 for row in found["rows"])
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in lines] == ["hypergrid", "hypergrid", "graphs_constant"]
    assert f"TV {tb['mean_total_variation']:.4f}" in lines[0]
    assert f"gain {a2c['mean_gain']:.2f} of" in lines[1]


def test_a_rule_that_diverges_is_a_row_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def diverge(*arguments: object) -> None:
        raise NonFiniteLossError("loss is nan", {})

    monkeypatch.setattr(objectives, "distance", diverge)
    (row,) = objectives.run("hypergrid", "tb", "uniform", steps=1, batch=2, seeds=1)["rows"]
    assert row["failure"] == "loss is nan"
    assert "total_variation" not in row
    assert objectives.line(row).endswith("failed: loss is nan")


def test_a_rule_without_log_z_has_no_error_of_it() -> None:
    row = {"problem": "p", "rule": "r", "step_seconds": 0.5, "step_over_tb": 2.0}
    row |= {"mean_total_variation": 0.25, "mean_log_z_error": math.nan}
    assert " ".join(objectives.line(row).split()) == "p r TV 0.2500 500.0 ms a step, 2.00 of tb"
