from __future__ import annotations

import csv
import hashlib
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rdkit import Chem

from fluvial.core.errors import StorageError
from fluvial.queue.records import ScoredObject
from fluvial.queue.store import Store
from fluvial.train import export
from fluvial.train.export import candidate_columns, write_candidates
from fluvial.train.run_directory import RunDirectory

SCORED = [
    ScoredObject("CCO", 0.5, properties={"qed": 0.4, "vina": -3.25}),
    ScoredObject("CCc1ccccc1", 0.5, properties={"qed": 0.5}),
    ScoredObject("O=C1CCN1Cc1ccccc1", 2.0, properties={"qed": 1 / 3, "vina": None}),
    ScoredObject("C", 0.0, "filtered", "weight 16, below 100"),
    ScoredObject("CC", None, "failed", '=cmd("x"), exit code 1\nsecond line'),
    ScoredObject("C(C", None, "invalid", "no SMILES"),
]
SAMPLED = ["CCO", "CCO", "C", "CC"]


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path / "run")


def exported(
    run: RunDirectory,
    scored: list[ScoredObject],
    sampled: list[str],
    is_molecular: bool = True,
    n_sdf: int = 100,
) -> list[list[str]]:
    with Store.create(run.store) as store:
        store.record_step(3, scored, sampled, {})
        write_candidates(store, run, n_sdf=n_sdf, is_molecular=is_molecular)
    with run.candidates_csv.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_the_csv_cell_by_cell(run: RunDirectory) -> None:
    header = "rank smiles inchikey reward qed vina scaffold times_sampled first_step status reason"
    lactam, benzene = "O=C1CCN1Cc1ccccc1", "c1ccccc1"
    assert exported(run, SCORED, SAMPLED) == [
        header.split(),
        [
            "1",
            lactam,
            "FYLYJFHGDNQLJJ-UHFFFAOYSA-N",
            "2.0",
            "0.3333333333333333",
            "",
            lactam,
            "0",
            "3",
            "ok",
            "",
        ],
        ["2", "CCO", "LFQSCWFLJHTTHZ-UHFFFAOYSA-N", "0.5", "0.4", "-3.25", "", "2", "3", "ok", ""],
        ["3", "CCc1ccccc1", "YNQLUTRBYVCPMQ-UHFFFAOYSA-N", "0.5", "0.5", "", benzene, "0", "3", "ok", ""],
        [
            "4",
            "C",
            "VNWKTOKETHGBQD-UHFFFAOYSA-N",
            "0.0",
            "",
            "",
            "",
            "1",
            "3",
            "filtered",
            "weight 16, below 100",
        ],
        ["5", "C(C", "", "", "", "", "", "0", "3", "invalid", "no SMILES"],
        [
            *["6", "CC", "OTMSDBZUPAUEDD-UHFFFAOYSA-N", "", "", "", "", "1", "3", "failed"],
            '\'=cmd("x"), exit code 1 second line',
        ],
    ]


def test_the_parquet_has_the_same_cells_with_types(run: RunDirectory) -> None:
    rows = exported(run, SCORED, SAMPLED)
    table = pq.read_table(run.candidates_parquet)
    assert table.column_names == rows[0]
    types = dict(zip(table.column_names, table.schema.types, strict=True))
    assert {name for name, kind in types.items() if kind == pa.int64()} == {
        "rank",
        "times_sampled",
        "first_step",
    }
    assert {name for name, kind in types.items() if kind == pa.float64()} == {"reward", "qed", "vina"}
    cells = [["" if cell is None else str(cell) for cell in row.values()] for row in table.to_pylist()]
    assert cells[-1][-1] == '=cmd("x"), exit code 1\nsecond line'
    cells[-1][-1] = rows[-1][-1]
    assert cells == rows[1:]
    assert table.column("reward").null_count == 2


def test_the_sdf_holds_the_best_scored_molecules_in_two_dimensions(run: RunDirectory) -> None:
    exported(run, SCORED, SAMPLED, n_sdf=2)
    molecules = list(Chem.SDMolSupplier(str(run.top_sdf)))
    assert [Chem.MolToSmiles(mol) for mol in molecules] == ["O=C1CCN1Cc1ccccc1", "CCO"]
    assert molecules[1].GetPropsAsDict() == {
        "rank": 2,
        "smiles": "CCO",
        "inchikey": "LFQSCWFLJHTTHZ-UHFFFAOYSA-N",
        "reward": 0.5,
        "qed": 0.4,
        "vina": -3.25,
        "times_sampled": 2,
        "first_step": 3,
        "status": "ok",
    }
    assert "vina" not in molecules[0].GetPropsAsDict()
    assert molecules[0].GetConformer().GetPositions().any(axis=0).tolist() == [True, True, False]


def test_filtered_and_unscored_molecules_are_not_in_the_sdf(run: RunDirectory) -> None:
    exported(run, SCORED, SAMPLED)
    assert run.top_sdf.read_text().count("$$$$\n") == 3


def test_sd_data_items_cannot_break_out_of_their_record(run: RunDirectory) -> None:
    reason = "$$$$\n\n>  <reward>\n99"
    exported(run, [ScoredObject("CCO", 1.0, "ok", reason, {"a<b>\nc": 7.0})], [])
    (mol,) = list(Chem.SDMolSupplier(str(run.top_sdf)))
    assert mol.GetProp("reward") == "1.0"
    assert mol.GetProp("a(b) c") == "7.0"
    assert mol.GetProp("reason").strip() == "$$$$ > <reward> 99"


def test_every_column_is_explained(run: RunDirectory) -> None:
    with Store.create(run.store) as store:
        store.record_step(0, [ScoredObject("C", 1.0, properties={"vina": 1.0, "a|b": 2.0})], [], {})
        write_candidates(store, run, n_sdf=25, descriptions={"vina": "Docking score in kcal/mol."})
    page = run.columns.read_text()
    for name in pq.read_schema(run.candidates_parquet).names:
        assert f"| {name.replace('|', chr(92) + '|')} | " in page
    assert "| vina | Docking score in kcal/mol. Empty where there is none. |" in page
    assert r"| a\|b | Raw value of 'a\|b' before any transform" in page
    assert "the best 25 molecules" in page
    assert "only for the first 1000 rows" in page


def test_properties_with_the_names_of_columns_stay_apart(run: RunDirectory) -> None:
    properties = {"reward": 7.0, "reward (property)": 8.0, "rank": 9.0}
    rows = exported(run, [ScoredObject("C", 1.0, properties=properties)], [])
    named = dict(zip(*rows, strict=True))
    assert len(named) == len(rows[0])
    assert (named["rank"], named["rank (property)"]) == ("1", "9.0")
    assert (named["reward"], named["reward (property)"]) == ("1.0", "7.0")
    assert named["reward (property) (property)"] == "8.0"


def test_no_two_columns_share_a_name_whatever_the_order_of_properties() -> None:
    columns = candidate_columns([], ["reward (property)", "reward"], True, {})
    assert [column.name for column in columns[4:6]] == ["reward (property)", "reward (property) (property)"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\r=x", "\n=x"])
def test_nothing_in_the_csv_is_a_formula(run: RunDirectory, text: str) -> None:
    rows = exported(run, [ScoredObject(text, -1.5, "ok", text, {text: -2.0})], [])
    named = dict(zip(*rows, strict=True))
    guarded = "'" + text.replace("\r", " ").replace("\n", " ")
    assert named["smiles"] == named["reason"] == guarded
    assert named[guarded] == "-2.0"
    assert run.candidates_csv.read_bytes().count(b"\n") == 2
    assert named["reward"] == "-1.5"
    assert pq.read_table(run.candidates_parquet).column("smiles").to_pylist() == [text]


def test_objects_that_are_no_molecules(run: RunDirectory) -> None:
    rows = exported(run, [ScoredObject("3,4", 1.0), ScoredObject("C", 2.0)], ["C"], is_molecular=False)
    assert rows == [
        ["rank", "object", "reward", "times_sampled", "first_step", "status", "reason"],
        ["1", "C", "2.0", "1", "3", "ok", ""],
        ["2", "3,4", "1.0", "0", "3", "ok", ""],
    ]
    assert not run.top_sdf.exists()
    assert "sdf" not in run.columns.read_text()


def test_keys_and_scaffolds_are_for_the_first_rows_only(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "N_DESCRIBED", 2)
    rows = exported(run, [ScoredObject("C" * n + "c1ccccc1", float(n)) for n in range(1, 5)], [])
    named = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    assert [row["scaffold"] for row in named] == ["c1ccccc1", "c1ccccc1", "", ""]
    assert [bool(row["inchikey"]) for row in named] == [True, True, False, False]


def test_an_empty_store_gives_empty_tables(run: RunDirectory) -> None:
    header = "rank smiles inchikey reward scaffold times_sampled first_step status reason"
    assert exported(run, [], []) == [header.split()]
    assert pq.read_table(run.candidates_parquet).num_rows == 0
    assert run.top_sdf.read_text() == ""


def test_the_files_do_not_depend_on_the_order_of_recording(tmp_path: Path) -> None:
    hashes = []
    for number, scored in enumerate([SCORED, SCORED[::-1]]):
        run = RunDirectory.create(tmp_path / str(number))
        exported(run, scored, SAMPLED)
        files = (run.candidates_csv, run.candidates_parquet, run.top_sdf, run.columns)
        hashes.append([hashlib.sha256(file.read_bytes()).hexdigest() for file in files])
    assert hashes[0] == hashes[1]


def test_a_table_that_cannot_be_written_is_named(run: RunDirectory) -> None:
    run.candidates_csv.mkdir()
    with Store.create(run.store) as store, pytest.raises(StorageError, match=r"candidates\.csv"):
        write_candidates(store, run)
    assert not list(run.path.glob(".tmp*"))


def test_the_export_needs_no_torch() -> None:
    program = "import sys, fluvial.train.export; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
