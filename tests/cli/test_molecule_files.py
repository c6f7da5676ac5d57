from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rdkit import Chem

from fluvial.cli.molecule_files import InputMolecule, read_molecules
from fluvial.core.errors import DataError


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_lines_with_and_without_names(tmp_path: Path) -> None:
    text = "\ufeffsmiles name\r\nCCO ethanol, dry\r\n\r\n# a comment\r\nc1ccccc1\tbenzene\r\n[H][H]\r\n"
    assert read_molecules(write(tmp_path, "a.smi", text)) == [
        InputMolecule("line 2", "ethanol, dry", "CCO"),
        InputMolecule("line 5", "benzene", "c1ccccc1"),
        InputMolecule("line 6", "", "[H][H]"),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_with_any_delimiter(tmp_path: Path, delimiter: str) -> None:
    rows = [["ID", "SMILES", "pIC50"], ["m1", "CCO", "5.1"], ["m2"], ["m3", "N#N", ""]]
    path = write(tmp_path, "a.csv", "\n".join(delimiter.join(row) for row in rows))
    assert read_molecules(path) == [
        InputMolecule("line 2", "m1", "CCO"),
        InputMolecule("line 3", "m2", ""),
        InputMolecule("line 4", "m3", "N#N"),
    ]


def test_a_chosen_column_and_quoted_cells(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", 'smiles,parent\n"C,C","CC"\n"a\nb",O\n')
    assert [item.smiles for item in read_molecules(path, "parent")] == ["CC", "O"]
    assert [item.place for item in read_molecules(path, "parent")] == ["line 2", "line 4"]
    assert [item.smiles for item in read_molecules(path)] == ["C,C", "a\nb"]


def test_sd_files_with_an_unreadable_record(tmp_path: Path) -> None:
    good = Chem.MolFromSmiles("C(O)C")
    good.SetProp("_Name", "ethanol")
    block = Chem.MolToMolBlock(good)
    bad = block.replace(" O  ", " Xx ")
    path = write(tmp_path, "a.sdf", f"{block}$$$$\n{bad}$$$$\n{block}$$$$\n")
    assert read_molecules(path) == [
        InputMolecule("record 1", "ethanol", "CCO"),
        InputMolecule("record 2", "", ""),
        InputMolecule("record 3", "ethanol", "CCO"),
    ]


def test_packed_files_and_parquet(tmp_path: Path) -> None:
    packed = write(tmp_path, "a.smi.gz", gzip.compress(b"CCO ethanol\n"))
    assert read_molecules(packed) == [InputMolecule("line 1", "ethanol", "CCO")]
    pq.write_table(pa.table({"mol": ["CCO", None], "ID": [7, 8]}), tmp_path / "a.parquet")
    assert read_molecules(tmp_path / "a.parquet", "mol") == [
        InputMolecule("row 1", "7", "CCO"),
        InputMolecule("row 2", "8", ""),
    ]


@pytest.mark.parametrize(
    ("name", "content", "column", "sentence"),
    [
        ("a.xyz", "C", None, "what ends in '.xyz' is not read here; accepted are .smi"),
        ("a.smi", "C", "name", "only tables (.csv, .tsv, .parquet) have columns such as 'name'"),
        ("a.smi", "\n\n# nothing\n", None, "there is no molecule in it"),
        ("a.smi", b"C\nN\n\xff", None, "a.smi:3: is not UTF-8 text"),
        ("a.csv", "", None, "there is no molecule in it"),
        ("a.csv", "smiles\n", None, "there is no molecule in it"),
        ("a.csv", "id,pIC50\n1,2\n", None, "there is no column 'smiles'; it has 'id', 'pIC50'"),
        ("a.csv", "Smiles,SMILES\nC,C\n", None, "there are several column 'smiles'"),
        ("a.csv", "smiles\nC\n", "mol", "there is no column 'mol'"),
        ("a.csv", f"smiles\n{'C' * 200_000}\n", None, "a.csv:2: field larger than field limit"),
        ("a.sdf", "no block", None, "is no SDF"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, name: str, content: str | bytes, column, sentence: str) -> None:
    with pytest.raises(DataError) as caught:
        read_molecules(write(tmp_path, name, content), column)
    assert sentence in str(caught.value)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        read_molecules(tmp_path / "a.csv")
    (tmp_path / "b.csv").mkdir()
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read_molecules(tmp_path / "b.csv")
