from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from fluvial.config.file import parse_config
from fluvial.config.write import resolved_toml
from fluvial.core.errors import ConfigError, StorageError
from fluvial.core.files import write_text_atomic
from fluvial.queue.records import Candidate, ScoredObject
from fluvial.queue.store import Store
from fluvial.report.run_page import (
    calls_curve,
    diversity_curve,
    measured_curves,
    run_report,
    subtitle,
    write_run_page,
)
from fluvial.train.run_directory import RunDirectory

MOLECULES = '[env]\nkind = "fragments"\n[[reward.term]]\nkind = "qed"\n[[reward.term]]\nkind = "sa"\n'
STEPS: list[tuple[list[ScoredObject], list[str], dict[str, float]]] = [
    (
        [ScoredObject("CCO", 0.2, properties={"qed": 0.4, "sa": 2.0, "mw": 46.0})],
        ["CCO", "CCO"],
        {
            "loss": 9.0,
            "log_z": 1.0,
            "reward_q10": 0.1,
            "reward_median": 0.2,
            "reward_q90": 0.3,
            "reward_max": 0.4,
        },
    ),
    (
        [
            ScoredObject("c1ccccc1", 0.7, properties={"qed": 0.44, "sa": 1.0, "mw": 78.0}),
            ScoredObject("N#N", None, "failed", "no pose"),
            ScoredObject("CCN", 1e-4, "filtered", "mw"),
        ],
        ["c1ccccc1", "N#N", "CCN", "CCO"],
        {"loss": 4.0, "log_z": 2.0},
    ),
]


def made_run(folder: Path, config: str = MOLECULES) -> RunDirectory:
    """A run of two steps."""
    run = RunDirectory.create(folder)
    write_text_atomic(run.config, resolved_toml(parse_config(config), {}))
    facts = '{"created": "2026-01-02T03:04:05+0000", "versions": {"numpy": "2.4", "fluvial": "0.1.0"}}'
    write_text_atomic(run.environment, facts)
    with Store.create(run.store) as store:
        for step, (scored, sampled, metrics) in enumerate(STEPS, 1):
            store.record_step(step, scored, sampled, metrics)
    return run


def test_what_the_store_holds_is_on_the_page(tmp_path: Path) -> None:
    data = run_report(made_run(tmp_path / "screen"))
    assert data.title == "screen"
    assert [(item.rank, item.smiles, item.reward, item.status) for item in data.molecules] == [
        (1, "c1ccccc1", 0.7, "ok"),
        (2, "CCO", 0.2, "ok"),
        (3, "CCN", 1e-4, "filtered"),
        (4, "N#N", None, "failed"),
    ]
    assert data.molecules[1].times_sampled == 3
    assert data.molecules[1].first_step == 1
    assert list(data.property_names) == ["qed", "sa", "mw"]
    assert data.facts["Different objects"] == "4"
    assert data.facts["Drawn"] == "6"
    assert data.facts["Steps"] == "2 of 1,000"
    assert data.facts["Best reward"] == "0.7000"
    assert (data.facts["Failed"], data.facts["Filtered"]) == ("25.0 %", "25.0 %")
    assert data.facts["Started"] == "2026-01-02 03:04"
    assert data.facts["Versions"] == "fluvial 0.1.0"
    assert "[[reward.term]]" in data.configuration


def test_the_curves(tmp_path: Path) -> None:
    curves = {curve.title: curve for curve in run_report(made_run(tmp_path / "screen")).curves}
    titles = ["Reward", "Loss", "log Z", "Different objects", "Mean of the best"]
    assert list(curves) == [*titles, "Diversity", "sa against qed"]
    # Asked for were ethanol, benzene and N2, which failed; the filtered one cost no call.
    assert [calls for calls, _ in curves["Mean of the best"].series["best 10"]] == [1, 2, 3]
    assert curves["Reward"].series["median"] == [(1, 0.2)]
    assert curves["Reward"].band == ("10 %", "90 %")
    assert curves["Loss"].series["loss"] == [(1, 9.0), (2, 4.0)]
    assert curves["log Z"].series["log Z"] == [(1, 1.0), (2, 2.0)]
    assert curves["Different objects"].series["met so far"] == [(1, 1), (2, 4)]
    steps = [step for step, _ in curves["Diversity"].series["best 100"]]
    assert steps == [1, 2]


def test_the_best_of_the_first_calls() -> None:
    def scored(key: int, reward: float | None, status: str = "ok") -> Candidate:
        return Candidate(key, f"{key}", reward, status, "", {}, 1, 1)

    objects = [scored(key, key / 100) for key in range(100, 0, -1)]
    objects += [scored(101, None, "failed"), scored(102, 1e-4, "filtered")]
    series = calls_curve(objects).series
    assert series["best 10"][-1] == (101, pytest.approx(0.955))
    assert series["best 100"][-1] == (101, pytest.approx(0.505))
    assert math.isnan(series["best 10"][0][1])


def test_what_was_measured_on_the_way_is_drawn() -> None:
    names = {"evaluate/total_variation": [(10, 0.5)], "evaluate/fcs": []}
    assert measured_curves(names)[0].series == {"total variation": [(10, 0.5)]}
    assert measured_curves({name: [] for name in names}) == []


def test_diversity_is_that_of_what_was_known_then(tmp_path: Path) -> None:
    with Store.open(made_run(tmp_path / "screen").store) as store:
        points = diversity_curve(store.candidates()).series["best 100"]
    assert points[0][0] == 1
    assert math.isnan(points[0][1])
    # Benzene and ethanol share no Morgan environment.
    assert points[1] == (2, 1.0)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (MOLECULES, "Reward qed \N{MULTIPLICATION SIGN} sa, drawn by its power 32"),
        (
            MOLECULES + '[condition]\nbeta = {distribution = "uniform", a = 1.0, b = 64.0}\n',
            "Reward qed \N{MULTIPLICATION SIGN} sa, drawn by its power 1 to 64 (uniform)",
        ),
        ('[env]\nkind = "hypergrid"\n', "hypergrid, its own reward"),
    ],
)
def test_the_subtitle(config: str, text: str) -> None:
    assert subtitle(parse_config(config)) == text


def test_the_page_is_written_and_replaced(tmp_path: Path) -> None:
    run = made_run(tmp_path / "screen")
    assert write_run_page(run.path, 2) == run.report
    text = run.report.read_text()
    assert "c1ccccc1" in text
    assert "CCN" not in text
    assert write_run_page(run.path, 4, tmp_path / "other.html") == tmp_path / "other.html"
    assert "CCN" in (tmp_path / "other.html").read_text()


def test_a_run_without_steps_has_a_page(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "new")
    write_text_atomic(run.config, resolved_toml(parse_config(MOLECULES), {}))
    with Store.create(run.store):
        pass
    data = run_report(run)
    assert list(data.molecules) == []
    assert data.facts["Steps"] == "0 of 1,000"
    assert data.facts["Failed"] == ""
    assert write_run_page(run.path).stat().st_size > 1000


def test_a_grid_has_no_diversity(tmp_path: Path) -> None:
    data = run_report(made_run(tmp_path / "grid", '[env]\nkind = "hypergrid"\n'))
    assert "Diversity" not in [curve.title for curve in data.curves]


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is not a run of Fluvial"):
        write_run_page(tmp_path)
    run = made_run(tmp_path / "a")
    run.config.unlink()
    with pytest.raises(ConfigError, match=r"config\.toml: there is no such file"):
        write_run_page(run.path)
    run = made_run(tmp_path / "b")
    run.store.unlink()
    with pytest.raises(StorageError, match="There is no store"):
        write_run_page(run.path)


def test_pages_need_no_torch() -> None:
    program = "import sys, fluvial.report.run_page; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_the_subtitle_says_what_varies() -> None:
    text = '[env]\nkind = "fragments"\n[condition]\npreference = "dirichlet"\nfocus = "centered"\n'
    end = "with preferences (dirichlet, weighted_sum) and focus regions (centered)"
    assert subtitle(parse_config(text)).endswith(end)
