from __future__ import annotations

import math
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rdkit import Chem

from fluvial.cli.tables import csv_text, require_format, sampled_table, write_table
from fluvial.core.errors import ConfigError, StorageError
from fluvial.queue.records import ScoredObject

OBJECTS = [
    ScoredObject("CCO", 0.2, properties={"qed": 0.4, "mw": 46.07}),
    ScoredObject("N#N", None, "failed", "no pose", {"mw": math.nan}),
    ScoredObject("CC", 0.9, properties={"qed": 0.3, "mw": 30.07}),
    ScoredObject("CCO", 0.2, properties={"qed": 0.4, "mw": 46.07}),
]
COLUMNS = ["smiles", "reward", "qed", "mw", "status", "reason", "count"]


def test_each_different_object_is_one_row_best_first() -> None:
    table = sampled_table(OBJECTS, "smiles", ["qed"])
    assert list(table) == COLUMNS
    assert list(zip(*table.values(), strict=True)) == [
        ("CC", 0.9, 0.3, 30.07, "ok", "", 1),
        ("CCO", 0.2, 0.4, 46.07, "ok", "", 2),
        ("N#N", None, None, None, "failed", "no pose", 1),
    ]


def test_a_property_may_be_called_like_a_column() -> None:
    table = sampled_table([ScoredObject("C", 1.0, properties={"reward": 5.0})], "smiles")
    assert (table["reward"], table["reward (property)"]) == ([1.0], [5.0])


def test_csv_is_safe_for_spreadsheets() -> None:
    table = {"=name": ["+1", "plain", "two\nlines"], "x": [-1.5, None, 2]}
    assert csv_text(table) == "'=name,x\n'+1,-1.5\nplain,\ntwo lines,2\n"


def test_every_format_holds_the_table(tmp_path: Path) -> None:
    table = sampled_table(OBJECTS, "smiles", ["qed"])
    for ending in ("csv", "parquet", "smi", "sdf"):
        write_table(tmp_path / f"t.{ending}", table)
    assert (tmp_path / "t.csv").read_text() == csv_text(table)
    parquet = pq.read_table(tmp_path / "t.parquet")
    assert parquet.to_pydict() == {name: list(cells) for name, cells in table.items()}
    assert (tmp_path / "t.smi").read_text() == "CC\t0.9\nCCO\t0.2\nN#N\n"
    mols = list(Chem.SDMolSupplier(str(tmp_path / "t.sdf")))
    assert [Chem.MolToSmiles(mol) for mol in mols] == ["CC", "CCO", "N#N"]
    assert mols[0].GetPropsAsDict()["reward"] == 0.9
    assert "reward" not in mols[2].GetPropsAsDict()
    assert mols[2].GetProp("reason") == "no pose"
    assert mols[1].GetConformer().GetAtomPosition(0).x != mols[1].GetConformer().GetAtomPosition(1).x


def test_a_column_of_nothing_keeps_its_type(tmp_path: Path) -> None:
    write_table(tmp_path / "t.parquet", {"smiles": ["C"], "reward": [None], "count": [1]})
    types = [str(field.type) for field in pq.read_table(tmp_path / "t.parquet").schema]
    assert types == ["string", "double", "int64"]


def test_an_sd_heading_cannot_end_its_item(tmp_path: Path) -> None:
    write_table(tmp_path / "t.sdf", {"smiles": ["C"], "a<b>\nc": ["x\n\ny"], "reward": [1.0]})
    text = (tmp_path / "t.sdf").read_text()
    assert ">  <a(b) c>" in text
    assert "\nx y\n" in text


def test_grid_cells_are_no_molecules(tmp_path: Path) -> None:
    for ending in ("smi", "sdf"):
        with pytest.raises(ConfigError, match=r"write them as \.csv, \.parquet or \.json"):
            write_table(tmp_path / f"t.{ending}", {"object": ["0,1"], "reward": [1.0]})
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_said_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the ending '.txt' stands for no table"):
        require_format(tmp_path / "t.txt")
    with pytest.raises(StorageError, match="there is no folder"):
        require_format(tmp_path / "none" / "t.csv")
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(StorageError, match="is a folder"):
        require_format(tmp_path / "t.csv")
