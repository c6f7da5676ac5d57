from __future__ import annotations

import csv
from pathlib import Path

import pytest


@pytest.fixture
def molecules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "in.smi"
    path.write_text("CCO ethanol\nnonsense bad\nc1ccccc1 benzene\nOCC again\n")
    return path


def read(path: str = "scores.csv") -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_each_molecule_gets_a_row(call, molecules: Path) -> None:
    result = call("score", "--reward", "qed*sa", "-i", molecules)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "4 molecules: 3 ok, 1 invalid\nwritten to scores.csv\n"
    table = read()
    assert [row["name"] for row in table] == ["ethanol", "bad", "benzene", "again"]
    assert [row["status"] for row in table] == ["ok", "invalid", "ok", "ok"]
    assert table[1]["reward"] == ""
    assert table[1]["reason"].startswith("line 2: 'nonsense' is no valid SMILES")
    # benzene: QED 0.4426 (RDKit), SA 1, so the second factor is (10 - 1) / 9 = 1
    assert float(table[2]["reward"]) == pytest.approx(0.44263, abs=1e-5)
    assert float(table[2]["sa"]) == pytest.approx(1.0)
    assert float(table[2]["sa (score)"]) == pytest.approx(1.0)
    # The same molecule, written in another order.
    assert float(table[3]["reward"]) == pytest.approx(float(table[0]["reward"]))


def test_a_function_out_of_a_file(call, molecules: Path) -> None:
    Path("mine.py").write_text(
        "def score(smiles):\n    return {'carbons': [s.upper().count('C') for s in smiles]}\n"
    )
    result = call("score", "--reward", "mine.py:score", "--reward", "qed", "-i", molecules, "-o", "out.csv")
    assert result.exit_code == 0
    row = read("out.csv")[2]
    assert float(row["carbons"]) == 6.0
    assert float(row["reward"]) == pytest.approx(6 * float(row["qed"]))


def test_the_reward_of_a_configuration_and_of_a_run(call, molecules: Path, trained_run: Path) -> None:
    Path("run.toml").write_text('[env]\nkind="fragments"\n[[reward.term]]\nkind="qed"\n')
    assert call("score", "run.toml", "-i", molecules, "-o", "one.csv").exit_code == 0
    assert call("score", trained_run, "-i", molecules, "-o", "two.csv").exit_code == 0
    assert float(read("one.csv")[2]["reward"]) == pytest.approx(0.44263, abs=1e-5)
    assert list(read("two.csv")[0])[:6] == ["name", "smiles", "reward", "qed", "sa", "mw"]


def test_filters_give_the_floor_and_their_reason(call, molecules: Path) -> None:
    Path("run.toml").write_text(
        '[env]\nkind="fragments"\n[[reward.filter]]\nkind="range"\nproperty="mw"\nhigh=50.0\n'
    )
    assert call("score", "run.toml", "-i", molecules).exit_code == 0
    row = read()[2]
    assert (row["status"], row["reward"]) == ("filtered", "0.0001")
    assert row["reason"] == "line 3: mw 78.11 is above 50"


def test_a_term_that_is_called_like_a_column(call, molecules: Path) -> None:
    Path("run.toml").write_text('[env]\nkind="fragments"\n[[reward.term]]\nkind="qed"\nname="status"\n')
    assert call("score", "run.toml", "-i", molecules).exit_code == 0
    row = read()[2]
    assert row["status"] == "ok"
    assert float(row["status (property)"]) == pytest.approx(0.44263, abs=1e-5)
