from __future__ import annotations

import gzip
import math
import os
from dataclasses import replace

import pytest
from rdkit import Chem

from fluvial.chem.synthesis.cleaning import Cleaning
from fluvial.chem.synthesis.library import make_library
from fluvial.chem.synthesis.library_file import read_library
from fluvial.chem.synthesis.templates import Template, embedded_templates
from fluvial.core.errors import DataError, StorageError, WorkerError
from fluvial.data import preparing
from fluvial.data.catalogue_parts import make_part
from fluvial.data.preparing import CatalogueColumns, prepare_library

AMIDE = Template("amide", "", "[C:1](=[O:2])[OH].[NH2:3]>>[C:1](=[O:2])[N:3]", 2)
TABLE = """\
id,smiles,vendor,price
A1,CC(=O)[O-].[Na+],North,12.5
A2,CN,South,3
A3,C(,South,1
A4,Cl.NC,West,2
A5,CC(O)=O,East,20
A6,CCN,East,dear
A7,[2H]C,East,1
A8,,East,1
A9,NC,East,
"""
COLUMNS = CatalogueColumns(supplier="vendor", price="price")


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "catalogue.csv"
    path.write_text(TABLE)
    return path


def prepared(table, name="out.library", **settings):
    target = table.parent / name
    return prepare_library([table], target, [AMIDE], COLUMNS, **settings), read_library(target)


def test_rows_become_blocks_and_the_cheapest_offer_counts(table):
    report, library = prepared(table)
    assert list(library.smiles) == ["CC(=O)O", "CN", "CCN"]
    assert list(library.identifiers) == ["A1", "A4", "A6"]
    assert list(library.suppliers) == ["North", "West", "East"]
    assert library.prices.tolist()[:2] == [12.5, 2.0]
    assert math.isnan(library.prices[2])
    assert (report.is_new, report.n_rows, report.n_blocks, report.n_duplicates) == (True, 9, 3, 3)
    assert [(reason, count) for reason, count, _ in report.dropped] == [
        ("that RDKit cannot read", 1),
        ("with isotope labels", 1),
        ("without an object in column 'smiles'", 1),
    ]
    assert report.dropped[0][2] == ("catalogue.csv, line 4: C(",)
    assert [(count, shown) for _, count, shown in report.remarks] == [(1, ("catalogue.csv, line 7: CCN",))]
    assert not (table.parent / "out.library.parts").exists()


def test_the_bits_are_those_of_a_library_in_memory(tmp_path):
    path = tmp_path / "blocks.smi"
    path.write_text("OC(=O)c1ccccc1 acid\nNCc1ccc(Br)cc1 amine\nCC#C alkyne\n")
    prepare_library([path], tmp_path / "own.library", embedded_templates())
    library = read_library(tmp_path / "own.library")
    expected = make_library([library.block(number) for number in range(3)], embedded_templates())
    assert library.fingerprint == expected.fingerprint
    assert list(library.identifiers) == ["acid", "amine", "alkyne"]


def test_equal_input_gives_equal_bytes_however_it_is_divided(table, monkeypatch):
    prepared(table)
    monkeypatch.setattr(preparing, "ROWS_AT_ONCE", 2)
    prepared(table, "parts.library")
    first, second = ((table.parent / name).read_bytes() for name in ("out.library", "parts.library"))
    assert first == second


@pytest.mark.long
def test_several_processes_give_the_same_bytes(table, monkeypatch):
    monkeypatch.setattr(preparing, "ROWS_AT_ONCE", 2)
    prepared(table)
    prepared(table, "two.library", n_processes=2)
    first, second = ((table.parent / name).read_bytes() for name in ("out.library", "two.library"))
    assert first == second


def test_nothing_is_done_twice(table, monkeypatch):
    report, _ = prepared(table)
    monkeypatch.setattr(preparing, "make_part", None)
    again, _ = prepared(table)
    assert again == replace(report, is_new=False)


def test_work_that_was_cut_off_goes_on(table, monkeypatch):
    monkeypatch.setattr(preparing, "ROWS_AT_ONCE", 3)
    original, made = preparing.make_part, []

    def once(path, rows, settings):
        if len(made) == 1:
            raise KeyboardInterrupt
        made.append(path.name)
        original(path, rows, settings)

    monkeypatch.setattr(preparing, "make_part", once)
    with pytest.raises(KeyboardInterrupt):
        prepared(table)
    assert not (table.parent / "out.library").exists()
    again = []
    monkeypatch.setattr(
        preparing, "make_part", lambda path, *rest: (again.append(path.name), original(path, *rest))
    )
    _, library = prepared(table)
    assert len(again) == 2
    assert not set(again) & set(made)
    assert list(library.smiles) == ["CC(=O)O", "CN", "CCN"]


def ending(path, rows, settings):
    """A part that ends its process."""
    if path.name.startswith("000001"):
        os._exit(9)
    make_part(path, rows, settings)


def test_a_process_that_ends_at_its_work_is_told(table, monkeypatch):
    monkeypatch.setattr(preparing, "ROWS_AT_ONCE", 3)
    monkeypatch.setattr(preparing, "make_part", ending)
    with pytest.raises(
        WorkerError, match=r"a process ended while it worked on rows after [03]; if the system"
    ):
        prepared(table, n_processes=2)
    monkeypatch.setattr(preparing, "make_part", make_part)
    _, library = prepared(table, n_processes=2)
    assert list(library.smiles) == ["CC(=O)O", "CN", "CCN"]


def test_a_changed_row_or_setting_makes_it_anew(table):
    report, library = prepared(table)
    table.write_text(TABLE.replace("CCN", "CCCN"))
    again, other = prepared(table)
    assert again.is_new
    assert "CCCN" in list(other.smiles)
    assert library.fingerprint != other.fingerprint
    third, small = prepared(table, cleaning=Cleaning(most_atoms=2))
    assert third.is_new
    assert list(small.smiles) == ["CN"]
    assert report.is_new


def test_all_kinds_of_files_give_the_same_library(table):
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = table.parent
    smiles, names = ["CC(=O)O", "CN"], ["a", "b"]
    (folder / "own.csv").write_text("name,smiles\na,CC(=O)O\nb,CN\n")
    (folder / "own.smi").write_text("CC(=O)O a\nCN b\n")
    (folder / "own.smi.gz").write_bytes(gzip.compress(b"CC(=O)O a\nCN b\n"))
    pq.write_table(pa.table({"smiles": smiles, "name": names}), folder / "own.parquet")
    with Chem.SDWriter(str(folder / "own.sdf")) as writer:
        for text, name in zip(smiles, names, strict=True):
            mol = Chem.MolFromSmiles(text)
            mol.SetProp("_Name", name)
            writer.write(mol)
    found = set()
    for kind in ("csv", "smi", "smi.gz", "parquet", "sdf"):
        prepare_library([folder / f"own.{kind}"], folder / f"{kind}.library", [AMIDE])
        found.add(read_library(folder / f"{kind}.library").fingerprint)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("content", "columns", "said"),
    [
        ("smiles\nC(\n", {}, "no block is left of 1 rows"),
        ("name\nCC\n", {}, "there is no column 'smiles'"),
        ("smiles,cost\nCC,1\n", {"price": "price"}, "there is no column 'price'"),
        ("smiles,id\nCC,1\n", {"supplier": "shop"}, "there is no column 'shop'"),
        ("smiles,id\nCC,1\n", {"identifier": "code"}, "there is no column 'code'"),
    ],
)
def test_catalogues_that_cannot_be_used(tmp_path, content, columns, said):
    path = tmp_path / "own.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=said) as caught:
        prepare_library([path], tmp_path / "own.library", [AMIDE], CatalogueColumns(**columns))
    assert str(path) in str(caught.value)
    assert not (tmp_path / "own.library").exists()


def test_files_that_are_not_there_or_in_the_way(table):
    with pytest.raises(DataError, match="no such file"):
        prepare_library([table.parent / "none.csv"], table.parent / "own.library", [AMIDE])
    with pytest.raises(DataError, match=r"what ends in '\.xlsx' is not read"):
        (table.parent / "own.xlsx").write_text("")
        prepare_library([table.parent / "own.xlsx"], table.parent / "own.library", [AMIDE])
    (table.parent / "own.library").write_text("my notes")
    with pytest.raises(StorageError, match="is in the way"):
        prepare_library([table], table.parent / "own.library", [AMIDE])
    assert (table.parent / "own.library").read_text() == "my notes"
