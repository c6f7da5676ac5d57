from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from fluvial.core.errors import DataError
from fluvial.data.streams import ending, holds, opened, text_lines


@pytest.mark.parametrize(
    ("name", "suffix"),
    [("a.CSV", ".csv"), ("a.smi.gz", ".smi"), ("a.b.SDF.GZ", ".sdf"), ("a", ""), ("a.gz", "")],
)
def test_endings(name: str, suffix: str) -> None:
    assert ending(Path(name)) == suffix


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz"])
def test_lines_with_any_end_and_a_byte_order_mark(tmp_path: Path, name: str) -> None:
    content = "\ufeffä\r\nb\rc\n\nd".encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    with opened(tmp_path / name) as stream:
        assert list(text_lines(stream, tmp_path / name)) == ["ä\r\n", "b\r", "c\n", "\n", "d"]
    assert holds(tmp_path / name, b"b\rc")
    assert not holds(tmp_path / name, b"x")


def test_lines_that_are_no_text_are_told_with_their_number(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"good\n" * 20_000 + "ä\n".encode("latin-1"))
    with opened(path) as stream, pytest.raises(DataError, match=r"a\.txt:20001: is not UTF-8 text"):
        list(text_lines(stream, path))


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "plain.csv.gz").write_bytes(b"smiles\n")
    (tmp_path / "half.csv.gz").write_bytes(gzip.compress(b"smiles\n" * 1000)[:-9])
    for name, sentence in [
        ("gone.csv", "there is no such file"),
        (".", "cannot be read: Is a directory"),
        ("nul\0.csv", "cannot be read: embedded null byte"),
        ("plain.csv.gz", "is damaged or not packed by gzip"),
        ("half.csv.gz", "is damaged or not packed by gzip"),
    ]:
        with pytest.raises(DataError, match=sentence), opened(tmp_path / name) as stream:
            stream.read()


def test_errors_of_others_pass(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(KeyError), opened(tmp_path / "a.txt"):
        raise KeyError("not about the file")
