from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

SMALL = ("--max-fragments", 2, "policy.width=16", "policy.layers=1", "algo.batch=8", "replay.start=8")


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_from_a_reward_to_molecules(call) -> None:
    result = call("design", "--reward", "qed*sa", "--steps", 3, "-n", 20, "--out", "run", *SMALL)
    assert (result.exit_code, result.stderr) == (0, "")
    assert re.search(r"20 molecules drawn: 100\.0 % valid, \d+\.\d % unique\n", result.stdout)
    assert re.search(r"mean reward 0\.\d{3} now, 0\.\d{3} at the first training step\n", result.stdout)
    assert re.search(r"best reward 0\.\d{4}  \S+\n", result.stdout)
    for name in ("samples.csv", "candidates.csv", "report.html"):
        assert f"run/{name}\n" in result.stdout
        assert Path("run", name).stat().st_size > 100
    with open("run/samples.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:4] == ["smiles", "reward", "qed", "sa"]
    assert sum(int(row["count"]) for row in rows) == 20
    configuration = Path("run/config.toml").read_text()
    assert "max_fragments = 2" in configuration
    assert "steps = 3" in configuration


def test_all_options_reach_the_configuration(call) -> None:
    Path("blocks.csv").write_text("smiles,attachment_atoms\nc1ccccc1,0 3\nCO,0\n")
    Path("mine.py").write_text("def score(smiles):\n    return [1.0 for _ in smiles]\n")
    options = ["--reward", "mine.py:score*qed", "--reward", "sa", "--minutes", 5, "--beta", 4, "--seed", 9]
    options += ["--vocabulary", "blocks.csv", "--filter", "pains, BRENK", "--steps", 1, "-n", 2]
    result = call("design", *options, "--out", "run", "--quiet", *SMALL)
    assert (result.exit_code, result.output) == (0, "")
    text = Path("run/config.toml").read_text()
    for line in (
        f'function = "{Path.cwd()}/mine.py:score"',
        'kind = "qed"',
        'kind = "sa"',
        "minutes = 5.0",
        "a = 4.0",
        "seed = 9",
        f'vocabulary = "{Path.cwd()}/blocks.csv"',
        'sets = ["PAINS", "BRENK"]',
    ):
        assert line in text.replace('beta = {distribution = "constant", ', "").replace(", bins", "\n"), line


def test_the_summary_for_programs(call) -> None:
    result = call("design", "--steps", 2, "-n", 5, "--out", "run", "--json", *SMALL)
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["event"] for event in events] == ["begin", "step", "step", "checkpoint", "done"]
    done = events[-1]
    assert done["drawn"] == 5
    assert done["valid_share"] == 1.0
    assert 0 < done["mean_reward"] < 1
    assert done["first_mean_reward"] == events[1]["metrics"]["reward_mean"]
    assert set(done["best"]) == {"smiles", "reward"}
    assert Path(done["report"]).exists()


def test_the_default_folders_do_not_collide(call, monkeypatch) -> None:
    monkeypatch.setattr("time.strftime", lambda *arguments: "20260102-030405")
    for _ in range(2):
        assert call("design", "--steps", 1, "-n", 1, "--quiet", *SMALL).exit_code == 0
    assert sorted(path.name for path in Path("runs").iterdir()) == [
        "design-20260102-030405",
        "design-20260102-030405-2",
    ]


def test_a_configuration_to_start_from(call, tmp_path: Path) -> None:
    folder = tmp_path / "configs"
    folder.mkdir()
    (folder / "run.toml").write_text('[env]\nkind="fragments"\nmax_fragments=3\n[stop]\nsteps=7\n')
    result = call(
        "design", "--config", folder / "run.toml", "--steps", 1, "-n", 1, "--out", "run", *SMALL[2:]
    )
    assert result.exit_code == 0
    assert "max_fragments = 3" in Path("run/config.toml").read_text()


def test_a_molecule_that_fails_costs_only_itself(call) -> None:
    Path("mine.py").write_text(
        "def score(smiles):\n"
        "    if any('n' in text for text in smiles):\n"
        "        raise ValueError('aromatic nitrogen')\n"
        "    return [0.5 for _ in smiles]\n"
    )
    result = call("design", "--reward", "mine.py:score", "--steps", 2, "-n", 40, "--out", "run", *SMALL)
    assert result.exit_code == 0
    with open("run/samples.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    failed = [row for row in rows if "n" in row["smiles"]]
    assert failed
    assert all((row["status"], row["reward"]) == ("failed", "") for row in failed)
    assert all("aromatic nitrogen" in row["reason"] for row in failed)
    others = [row for row in rows if "n" not in row["smiles"]]
    assert others
    assert all(float(row["reward"]) == 0.5 for row in others)
