from __future__ import annotations

import re
from pathlib import Path

import pytest

from fluvial.config.file import load_config


def test_what_is_written_can_be_used_at_once(call, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "screen"
    result = call("init", folder, "--reward", "qed*function")
    assert result.exit_code == 0
    assert {path.name for path in folder.iterdir()} == {"run.toml", "reward.py", "README.txt"}
    assert "fluvial check" in result.stdout
    checked = call("check", folder / "run.toml")
    assert (checked.exit_code, checked.stderr) == (0, "")
    assert len(re.findall(r"^(?:random objects|\s+) +0\.\d{4}  \S+$", checked.stdout, re.MULTILINE)) == 8
    assert sorted(path.name for path in folder.iterdir() if path.suffix) == [
        "README.txt",
        "reward.py",
        "run.toml",
    ]


def test_a_grid_has_no_reward_file(call, tmp_path: Path) -> None:
    assert call("init", tmp_path / "grid", "--env", "hypergrid").exit_code == 0
    assert load_config(tmp_path / "grid" / "run.toml").config.env.kind == "hypergrid"
    assert not (tmp_path / "grid" / "reward.py").exists()


def test_nothing_is_replaced(call, tmp_path: Path) -> None:
    (tmp_path / "reward.py").write_text("mine = 1\n")
    result = call("init", tmp_path)
    assert result.exit_code == 5
    assert (tmp_path / "reward.py").read_text() == "mine = 1\n"
    assert not (tmp_path / "run.toml").exists()


def test_check_tells_the_size_the_cost_and_the_place(call, tiny: Path) -> None:
    result = call("check", tiny, "algo.batch=5", "--out", "place")
    assert result.exit_code == 0
    text = result.stdout
    assert re.search(r"^builds +fragments: \d+ actions, at most 4 steps$", text, re.MULTILINE)
    assert re.search(r"^policy +graph-transformer, [\d,]+ weights$", text, re.MULTILINE)
    assert re.search(r"^reward +\d+\.\d\d ms each, \d+\.\d\d s for the first one$", text, re.MULTILINE)
    assert "scores at most 5 new objects" in text
    assert re.search(r"^would write +place: config.toml, store.db", text, re.MULTILINE)
    assert "warning" not in text
    assert list(tiny.parent.iterdir()) == [tiny]


def test_check_warns_of_a_folder_in_use(call, tiny: Path) -> None:
    result = call("check", tiny, "--out", tiny.parent)
    assert result.exit_code == 0
    assert "is not empty; train would refuse it" in result.stdout


def test_check_refuses_a_reward_that_never_answers(call, tiny: Path) -> None:
    Path("reward.py").write_text("def score(smiles):\n    return ['good'] * len(smiles)\n")
    result = call("check", tiny, 'reward.term=[{kind="function", function="reward.py:score"}]')
    assert result.exit_code == 2
    assert "none of 8 random objects got a reward" in result.stderr
    assert "returned 'good', not a number" in result.stderr


@pytest.mark.parametrize("kind", ["hypergrid", "fragments"])
def test_check_leaves_nothing_behind(call, tmp_path: Path, monkeypatch, kind: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("init", tmp_path / "a", "--env", kind).exit_code == 0
    before = sorted(tmp_path.rglob("*"))
    assert call("check", tmp_path / "a" / "run.toml").exit_code == 0
    assert sorted(path for path in tmp_path.rglob("*") if "__pycache__" not in path.parts) == before
