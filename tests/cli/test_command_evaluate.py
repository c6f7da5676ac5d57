from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

GRID = """\
[env]
kind = "hypergrid"
dimension = 2
side = 4
[policy]
kind = "tabular"
[algo]
batch = 16
[stop]
steps = 20
"""
FEW = ("-n", 40, "--objects", 10, "--paths", 4, "--exact-states", 0)


def hashes(folder: Path) -> dict[str, str]:
    """Of all files but the evaluation and what SQLite opens beside a store."""
    skipped = ("evaluation.json", "store.db-wal", "store.db-shm")
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in skipped]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def grid_run(tmp_path_factory: pytest.TempPathFactory, call) -> Path:
    folder = tmp_path_factory.mktemp("grid")
    (folder / "run.toml").write_text(GRID)
    assert call("train", folder / "run.toml", "--out", folder / "run", "--quiet").exit_code == 0
    return folder / "run"


def test_a_grid_is_evaluated_exactly(call, grid_run: Path) -> None:
    result = call("evaluate", grid_run, "-n", 100, "--objects", 20)
    assert (result.exit_code, result.stderr) == (0, "")
    for words in ("total variation", "of samples alone", "FCS", "16, in 32 states", "reward calls"):
        assert words in result.stdout
    found = json.loads((grid_run / "evaluation.json").read_text())
    assert found["step"] == 20
    exact = found["exact"]
    assert exact["objects"] == 16
    assert exact["l1"] == pytest.approx(2 * exact["total_variation"])
    assert found["bounds"]["elbo"] < exact["log_z"] + 5 * found["bounds"]["elbo_error"]
    assert found["search"]["calls"] == 16
    assert found["reward_calls"] == 0


def test_json_is_the_file_and_the_same_seed_the_same_numbers(call, trained_run: Path) -> None:
    before = hashes(trained_run)
    first = call("evaluate", trained_run, *FEW, "--seed", 3, "--json")
    assert first.exit_code == 0, first.output
    found = json.loads(first.stdout)
    assert found == json.loads((trained_run / "evaluation.json").read_text())
    assert call("evaluate", trained_run, *FEW, "--seed", 3, "--json").stdout == first.stdout
    assert call("evaluate", trained_run, *FEW, "--seed", 4, "--json").stdout != first.stdout
    assert hashes(trained_run) == before
    assert "exact" not in found
    assert found["samples"]["drawn"] == 40
    assert found["likelihood"]["paths"] == 4
    assert 0 < found["reward_calls"] <= 60
    assert set(found["samples"]["hits"][0]["modes"]) == {"0.5", "0.7"}


def test_files_of_known_objects(call, trained_run: Path, tmp_path: Path) -> None:
    sampled = call("sample", trained_run, "-n", 15, "--seed", 1).stdout.splitlines()[1:]
    file = tmp_path / "known.smi"
    file.write_text("\n".join([*(line.split(",")[0] for line in sampled), "C1CC", "[Xe]"]))
    result = call("evaluate", trained_run, *FEW, "--objects-file", file, "--reference", file, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    n_different = len({line.split(",")[0] for line in sampled})
    assert found["likelihood"]["objects"] == n_different
    assert any("cannot be made" in line for line in found["likelihood"]["report"])
    assert 0.0 <= found["samples"]["novel"] <= 1.0
    assert 0.0 <= found["samples"]["distance_to_known"] <= 1.0


def test_hits_by_a_property(call, trained_run: Path) -> None:
    result = call(
        "evaluate", trained_run, *FEW, "--by", "mw", "--threshold", 100, "--threshold", 10000, "--json"
    )
    hits = json.loads(result.stdout)["samples"]["hits"]
    assert [row["from"] for row in hits] == [100, 10000]
    assert hits[0]["objects"] > 0
    assert hits[1]["objects"] == 0


def test_bad_wishes_are_refused(call, trained_run: Path, tmp_path: Path) -> None:
    result = call("evaluate", trained_run, *FEW, "--by", "seh")
    assert result.exit_code == 2
    assert "no property 'seh' to judge by; known are reward" in result.stderr
    result = call("evaluate", trained_run, *FEW, "--beta", 7)
    assert result.exit_code == 2
    assert "not what this run learned" in result.stderr
    assert call("evaluate", trained_run, *FEW, "--reference", tmp_path / "none.smi").exit_code == 2
    assert call("evaluate", tmp_path).exit_code == 5


def test_a_run_with_another_aim_says_so(call, tmp_path: Path) -> None:
    text = GRID.replace("batch = 16", 'batch = 16\nobjective = "reinforce"\nepsilon = 0')
    (tmp_path / "run.toml").write_text(text + "[replay]\nfraction = 0.0\n")
    out = tmp_path / "run"
    result = call("train", tmp_path / "run.toml", "--out", out, "--quiet")
    assert result.exit_code == 0, result.output
    result = call("evaluate", out, "-n", 10, "--objects", 0)
    assert "warning: algo.objective = 'reinforce' does not aim at R / Z" in result.stdout


def test_trade_offs_under_several_conditions(call, tmp_path: Path) -> None:
    config = """
[env]
kind = "fragments"
max_fragments = 2
[policy]
width = 16
layers = 1
heads = 2
[algo]
batch = 8
[condition]
beta = {distribution = "uniform", a = 1, b = 8}
preference = "dirichlet"
[stop]
steps = 2
"""
    (tmp_path / "run.toml").write_text(config)
    result = call("train", tmp_path / "run.toml", "--out", tmp_path / "run", "--quiet")
    assert result.exit_code == 0, result.output
    options = ("--conditions", 3, "--repeats", 12, "--prefer", "qed=0.9,sa=0.1", "--beta", 4, "--json")
    result = call("evaluate", tmp_path / "run", *FEW, *options)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["asked"]["beta"] == 4
    assert found["asked"]["weights"] == pytest.approx([0.9, 0.1])
    each = found["conditions"]["under_each"]
    assert [row["drawn"] for row in each] == [12, 12, 12]
    assert all(sum(row["weights"]) == pytest.approx(1.0) for row in each)
    trade_off = found["conditions"]["trade_off"]
    assert 0.0 < trade_off["hypervolume"] < 1.0
    assert trade_off["front"] >= 1
    assert trade_off["igd_plus"] <= trade_off["igd"]
