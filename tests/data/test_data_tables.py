from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rdkit import Chem

from fluvial.core.errors import DataError
from fluvial.data.columns import Columns, Row
from fluvial.data.tables import in_blocks, read_rows, usable_blocks
from fluvial.data.tally import Reason, Tally


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path, data = folder / name, content if isinstance(content, bytes) else content.encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def sdf(*records: tuple[str, dict[str, str]]) -> str:
    blocks = []
    for smiles, items in records:
        data = "".join(f">  <{name}>\n{value}\n\n" for name, value in items.items())
        blocks.append(f"{Chem.MolToMolBlock(Chem.MolFromSmiles(smiles))}{data}$$$$\n")
    return "".join(blocks)


COLUMNS = Columns(reward="activity", further=("note",))
EXPECTED = [("CCO", 5.5, {"note": "good"}), ("CC", None, {"note": None}), ("C=O", 0.25, {"note": "so so"})]


def said(rows: list[Row]) -> list[object]:
    return [(row.text, row.reward, row.further) for row in rows]


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables(tmp_path: Path, delimiter: str, packed: str) -> None:
    lines = [["smiles", "Activity", "note"], ["CCO", "5.5", "good"], ["CC"], ["C=O", "0.25", "so so"]]
    path = write(tmp_path, f"a.csv{packed}", "\r\n".join(delimiter.join(cells) for cells in lines))
    rows = list(read_rows(path, COLUMNS))
    assert said(rows) == EXPECTED
    assert [row.place for row in rows] == ["line 2", "line 3", "line 4"]


def test_sd_files(tmp_path: Path) -> None:
    good, poor = {"activity": "5.5", "note": "good"}, {"activity": "0.25", "note": "so so"}
    path = write(tmp_path, "a.sdf.gz", sdf(("OCC", good), ("CC", {}), ("O=C", poor)))
    rows = list(read_rows(path, COLUMNS))
    assert said(rows) == EXPECTED
    assert [row.place for row in rows] == ["record 1", "record 2", "record 3"]


def test_parquet_of_which_only_the_named_columns_are_read(tmp_path: Path) -> None:
    table = pa.table(
        {
            "other": [1, 2, 3],
            "smiles": ["CCO", "CC", "C=O"],
            "note": ["good", None, "so so"],
            "activity": [5.5, float("nan"), 0.25],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=2)
    rows = list(read_rows(tmp_path / "a.parquet", COLUMNS))
    assert said(rows) == EXPECTED
    assert [row.place for row in rows] == ["row 1", "row 2", "row 3"]


def test_lines_with_a_heading(tmp_path: Path) -> None:
    path = write(tmp_path, "a.smi", "SMILES\tnote\tactivity\nCCO\tgood\t5.5\n\n# x\nCC\nC=O\tso so\t0.25\n")
    rows = list(read_rows(path, COLUMNS))
    assert said(rows) == EXPECTED
    assert [row.place for row in rows] == ["line 2", "line 5", "line 6"]
    assert rows[0].name == "good\t5.5"


def test_lines_without_a_heading(tmp_path: Path) -> None:
    path = write(tmp_path, "a.txt", "CCO 5.5 first one\nCC\n")
    rows = list(read_rows(path, Columns(reward="2")))
    assert [(row.text, row.reward, row.name) for row in rows] == [
        ("CCO", 5.5, "5.5 first one"),
        ("CC", None, ""),
    ]
    with pytest.raises(DataError, match="no heading, so there is no column 'activity'; give the number"):
        list(read_rows(path, Columns(reward="activity")))


def test_bad_rows_are_told_and_not_fatal(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "smiles,r\nCC,1\n,2\nCO,active\nCN,\nCS,?\n")
    tally = Tally()
    blocks = list(usable_blocks(path, Columns(reward="r"), tally, rows_at_once=2))
    assert [[row.text for row in block] for block in blocks] == [["CC"], ["CN"]]
    assert tally.n_rows == 5
    assert tally.reasons() == (
        Reason("with no finite number in column 'r'", 2, ("line 4: 'active'", "line 6: '?'")),
        Reason("without an object in column 'smiles'", 1, ("line 3: an empty cell",)),
    )


def test_bad_records_of_sd_files(tmp_path: Path) -> None:
    good = sdf(("CO", {"r": "x"}))
    path = write(tmp_path, "a.sdf", good.replace(" O  ", " Xx ") + good + sdf(("CO", {"r": "2"})))
    rows = list(read_rows(path, Columns(reward="r")))
    assert [row.problem for row in rows] == [
        "that RDKit cannot read",
        "with no finite number in data item 'r'",
        "",
    ]


@pytest.mark.parametrize(
    ("name", "content", "columns", "sentence"),
    [
        ("a.csv", "smiles,r\n,1\nC,x\n", Columns(reward="r"), "all 2 rows are bad: 1 with no finite number"),
        ("a.csv", "smiles\n", Columns(), "there is nothing in it to use; it is empty"),
        ("a.smi", "", Columns(), "it is empty"),
        ("a.csv", "s\nC\n", Columns(), "there is no column 'smiles'; it has 's'"),
        ("a.csv", b"smiles\nC\nN\n\xff\n", Columns(), "a.csv:4: is not UTF-8 text"),
        ("a.csv.gz", b"", Columns(), "it is empty"),
        ("a.xyz", "C", Columns(), "what ends in '.xyz' is not read here; accepted are .smi"),
        ("a.parquet.gz", "C", Columns(), "accepted are"),
        ("a.parquet", "C", Columns(), "is no Parquet file"),
        ("a.sdf", "C", Columns(), "is no SDF"),
        (
            "a.sdf",
            sdf(("C", {"x": "1"})),
            Columns(reward="r"),
            "no record has a data item 'r'; they have 'x'",
        ),
    ],
)
def test_what_cannot_be_used(tmp_path: Path, name: str, content: str | bytes, columns, sentence: str) -> None:
    with pytest.raises(DataError) as caught:
        list(usable_blocks(write(tmp_path, name, content), columns, Tally()))
    assert sentence in str(caught.value)


def test_blocks() -> None:
    assert list(in_blocks(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(in_blocks([], 2)) == []


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.smi"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, name: str) -> None:
    text = (
        "smiles"
        + (",r\n" if "csv" in name else " r\n")
        + ("C" * 200 + ",1\n").replace(",", "," if "csv" in name else " ") * 15_000
    )
    path = write(tmp_path, name, text)
    tracemalloc.start()
    n_rows = sum(len(block) for block in usable_blocks(path, Columns(reward="r"), Tally(), 100))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n_rows == 15_000
    assert peak < len(text) / 8
