from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rdkit import Chem

from fluvial.queue.store import Store


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_best_candidates_with_the_columns_asked_for(call, trained_run: Path, tmp_path: Path) -> None:
    file = tmp_path / "best.csv"
    result = call("export", trained_run, "-o", file, "--top", 5, "--columns", "reward, smiles,first-time")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"5 rows written to {file}\n"
    with Store.open(trained_run / "store.db") as store:
        best = store.candidates(5)
        times = store.times()
    rows = rows_of(file)
    assert list(rows[0]) == ["reward", "smiles", "first_time"]
    assert [(float(row["reward"]), row["smiles"]) for row in rows] == [
        (item.reward, item.text) for item in best
    ]
    assert set(times) == set(range(1, 7))
    assert all(row["first_time"].endswith("Z") for row in rows)


def test_only_what_came_since_a_step(call, trained_run: Path, tmp_path: Path) -> None:
    file = tmp_path / "new.json"
    assert call("export", trained_run, "-o", file, "--since", 5).exit_code == 0
    rows = json.loads(file.read_text())
    assert rows
    assert {row["first_step"] for row in rows} <= {5, 6}
    assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
    assert {"smiles", "inchikey", "reward", "qed", "sa", "status", "first_time"} <= set(rows[0])


def test_molecules_for_other_programs(call, trained_run: Path, tmp_path: Path) -> None:
    for ending in ("sdf", "smi"):
        assert call("export", trained_run, "-o", tmp_path / f"best.{ending}", "--top", 3).exit_code == 0
    with Store.open(trained_run / "store.db") as store:
        texts = [item.text for item in store.candidates(3)]
    molecules = list(Chem.SDMolSupplier(str(tmp_path / "best.sdf")))
    assert [Chem.MolToSmiles(mol) for mol in molecules] == texts
    lines = (tmp_path / "best.smi").read_text().splitlines()
    assert [line.split("\t")[0] for line in lines] == texts


def test_samples_with_what_they_were_asked_for(call, trained_run: Path, tmp_path: Path) -> None:
    file = tmp_path / "samples.parquet"
    assert call("export", trained_run, "-o", file, "--of", "samples").exit_code == 0
    table = pq.read_table(file)
    assert table.column_names == [
        "step",
        "time",
        "smiles",
        "reward",
        "status",
        "beta",
        "policy_version",
        "count",
    ]
    assert sum(table.column("count").to_pylist()) == 6 * 8
    assert str(table.schema.field("count").type) == "int64"
    assert len(set(table.column("beta").to_pylist())) == 1


def test_the_numbers_of_each_step(call, trained_run: Path, tmp_path: Path) -> None:
    file = tmp_path / "curves.csv"
    assert call("export", trained_run, "-o", file, "--of", "metrics", "--since", 3, "--top", 2).exit_code == 0
    rows = rows_of(file)
    assert [row["step"] for row in rows] == ["3", "4"]
    with Store.open(trained_run / "store.db") as store:
        losses = dict(store.metric_series(["loss"])["loss"])
    assert [float(row["loss"]) for row in rows] == [losses[3], losses[4]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "x.txt"], "accepted are .csv, .parquet, .sdf, .smi, .json"),
        (["-o", "x.csv", "--of", "sample"], "did you mean 'samples'"),
        (["-o", "x.csv", "--columns", "smile"], "did you mean 'smiles'"),
        (["-o", "x.csv", "--status", "okay"], "did you mean 'ok'"),
        (["-o", "x.sdf", "--of", "metrics"], "the objects are no molecules"),
        (["-o", "x.csv", "--of", "metrics", "--status", "ok"], "leave out --status"),
    ],
)
def test_what_cannot_be_exported_is_refused(
    call, trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call("export", trained_run, *arguments)
    assert (result.exit_code, list(tmp_path.iterdir())) == (2, [])
    assert words in result.stderr


def test_objects_of_one_status_only(call, trained_run: Path, tmp_path: Path) -> None:
    file = tmp_path / "failed.csv"
    result = call("export", trained_run, "-o", file, "--status", "failed")
    assert (result.exit_code, rows_of(file)) == (0, [])
