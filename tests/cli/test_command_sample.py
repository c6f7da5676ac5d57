from __future__ import annotations

import csv
import io
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rdkit import Chem

from fluvial.train.run_directory import RunDirectory


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_table_is_printed(call, trained_run: Path) -> None:
    result = call("sample", trained_run, "-n", 20, "--seed", 3)
    assert (result.exit_code, result.stderr) == (0, "")
    table = rows(result.stdout)
    assert list(table[0]) == ["smiles", "reward", "qed", "sa", "logp", "mw", "status", "reason", "count"]
    assert sum(int(row["count"]) for row in table) == 20
    assert len({row["smiles"] for row in table}) == len(table)
    rewards = [float(row["reward"]) for row in table]
    assert rewards == sorted(rewards, reverse=True)
    for row in table:
        expected = float(row["qed"]) * (10 - float(row["sa"])) / 9
        assert float(row["reward"]) == pytest.approx(expected, abs=1e-12)
        assert Chem.MolToSmiles(Chem.MolFromSmiles(row["smiles"])) == row["smiles"]


def test_the_same_seed_draws_the_same(call, trained_run: Path) -> None:
    first, second, other = (call("sample", trained_run, "-n", 9, "--seed", seed).stdout for seed in (1, 1, 2))
    assert first == second
    assert first != other


def test_each_format(call, trained_run: Path, tmp_path: Path) -> None:
    for ending in ("csv", "parquet", "sdf", "smi"):
        result = call("sample", trained_run, "-n", 12, "--seed", 5, "-o", tmp_path / f"new.{ending}")
        assert result.exit_code == 0
        assert "12 molecules drawn: 100.0 % valid" in result.stdout
        assert f"written to {tmp_path}/new.{ending}" in result.stdout
    expected = [row["smiles"] for row in rows((tmp_path / "new.csv").read_text())]
    assert pq.read_table(tmp_path / "new.parquet")["smiles"].to_pylist() == expected
    assert [line.split("\t")[0] for line in (tmp_path / "new.smi").read_text().splitlines()] == expected
    mols = list(Chem.SDMolSupplier(str(tmp_path / "new.sdf")))
    assert [Chem.MolToSmiles(mol) for mol in mols] == expected
    assert float(mols[0].GetProp("reward")) > 0


def test_sampling_changes_nothing_in_the_run(call, trained_run: Path) -> None:
    run = RunDirectory(trained_run)
    before = (run.candidates_csv.read_bytes(), run.log.read_bytes(), sorted(run.checkpoints.iterdir()))
    assert call("sample", trained_run, "-n", 4).exit_code == 0
    assert (
        run.candidates_csv.read_bytes(),
        run.log.read_bytes(),
        sorted(run.checkpoints.iterdir()),
    ) == before


def test_the_sharpness_that_was_learned_can_be_asked_for(call, trained_run: Path) -> None:
    assert call("sample", trained_run, "-n", 3, "--beta", 32).exit_code == 0


def test_a_run_that_learned_several_sharpnesses(call, tiny: Path) -> None:
    law = 'condition.beta={distribution="uniform", a=1.0, b=16.0}'
    assert call("train", tiny, law, "--out", "here", "--quiet", "--steps", 2).exit_code == 0
    assert call("sample", "here", "-n", 3, "--beta", 8).exit_code == 0
    result = call("sample", "here", "-n", 3, "--beta", 17)
    assert result.exit_code == 0
    assert "warning: beta = 17 is outside of what the run learned, 1 to 16" in result.stderr
    assert {row["asked beta"] for row in rows(result.stdout)} == {"17.0"}
    result = call("sample", "here", "-n", 3, "--prefer", "qed=1")
    assert result.exit_code == 2
    assert "a preference cannot be asked for" in result.stderr


def test_a_trade_off_can_be_asked_for(call, tiny: Path) -> None:
    settings = ["condition.preference=dirichlet", "condition.focus={cosine=0.8}"]
    assert call("train", tiny, *settings, "--out", "trade", "--quiet", "--steps", 2).exit_code == 0
    wish = ["--prefer", "qed=3,sa=1", "--focus", "qed=0.6,sa=0.8"]
    result = call("sample", "trade", "-n", 3, *wish, "--seed", 1)
    assert (result.exit_code, result.stderr) == (0, "")
    found = rows(result.stdout)
    assert {row["asked weight qed"] for row in found} == {"0.75"}
    assert {round(float(row["asked focus sa"]), 6) for row in found} == {0.8}
    for bad, words in (
        (["--prefer", "qed"], "--prefer 'qed': expected numbers by different names, as qed=0.7,sa=0.3"),
        (["--prefer", "qed=1,qed=2"], "expected numbers by different names"),
        (["--focus", "qed=inf"], "expected numbers by different names"),
        (["--prefer", "mw=1"], "--prefer: unknown name 'mw' (known: qed, sa)"),
        (["--target", "mw=300"], "a target cannot be asked for"),
    ):
        result = call("sample", "trade", "-n", 1, *bad)
        assert result.exit_code == 2
        assert words in result.stderr


def test_the_report_is_one_page(call, trained_run: Path, tmp_path: Path) -> None:
    result = call("report", trained_run, "-n", 7, "-o", tmp_path / "best.html")
    assert (result.exit_code, result.stdout) == (0, f"{tmp_path}/best.html\n")
    text = (tmp_path / "best.html").read_text()
    assert text.startswith("<!DOCTYPE html>") or text.startswith("<!doctype html>")
    assert text.count("<tr") == 8
    assert call("report", trained_run).stdout == f"{trained_run}/report.html\n"


def test_check_says_what_changes_the_target(call, tiny: Path) -> None:
    assert "changes the target" not in call("check", tiny).stdout
    result = call("check", tiny, "reward.diversity=PenalizeSameSmiles")
    assert result.exit_code == 0
    assert "PenalizeSameSmiles changes the target" in result.stdout
