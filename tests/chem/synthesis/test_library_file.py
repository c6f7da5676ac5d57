from __future__ import annotations

import json
import struct

import numpy as np
import pytest

from fluvial.chem.synthesis.blocks import Block
from fluvial.chem.synthesis.library import embedded_library, make_library
from fluvial.chem.synthesis.library_file import load_library, read_library, read_notes, write_library
from fluvial.chem.synthesis.templates import Template
from fluvial.core.errors import DataError, StorageError

AMIDE = Template("amide", "amide coupling", "[C:1](=[O:2])[OH].[NH2:3]>>[C:1](=[O:2])[N:3]", 2, "ä")


@pytest.fixture
def path(tmp_path):
    library = make_library([Block("CC(=O)O", "ä1", "Shop", 2.5), Block("CN"), Block("CCN", "x")], [AMIDE])
    write_library(library, tmp_path / "own.library", {"report": {"n_rows": 3}})
    return tmp_path / "own.library"


def changed(path, **notes):
    """Rewrite the file's notes."""
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"]["notes"] = json.dumps({**json.loads(header["__metadata__"]["notes"]), **notes})
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])


def test_a_library_comes_back_mapped(path):
    library = read_library(path)
    again = make_library([library.block(number) for number in range(3)], [AMIDE])
    assert library.block(0) == Block("CC(=O)O", "ä1", "Shop", 2.5)
    assert library.fingerprint == again.fingerprint
    assert library.blocks_for(0, 1).tolist() == [1, 2]
    assert library.find("CCN") == 2
    assert isinstance(library.fingerprints, np.memmap)
    assert read_notes(path)["report"] == {"n_rows": 3}


def test_other_programs_can_read_the_layout(path):
    from safetensors.numpy import load_file

    arrays = load_file(path)
    assert arrays["prices"].tolist()[:1] == [2.5]
    assert arrays["compatible"].shape == (2, 1, 1)


def test_equal_libraries_are_equal_files(path, tmp_path):
    write_library(read_library(path), tmp_path / "again.library", {"report": {"n_rows": 3}})
    assert path.read_bytes() == (tmp_path / "again.library").read_bytes()


def test_the_packaged_library_has_a_name():
    assert load_library("default") is embedded_library()


def _flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.unlink(), "there is no such file"),
        (lambda path: path.write_bytes(b""), "is no library"),
        (lambda path: path.write_text("smiles,id\nCCO,1\n"), "is no library"),
        (lambda path: path.write_bytes(path.read_bytes()[:-10]), "is cut short"),
        (lambda path: path.write_bytes(path.read_bytes()[:40]), "is no library"),
        (_flip, "is damaged"),
        (lambda path: changed(path, kind="something"), "is no library"),
        (lambda path: changed(path, format=2), "has format 2, this version reads 1"),
        (lambda path: changed(path, content="0" * 64), "is damaged"),
        (lambda path: changed(path, templates=[]), "is damaged"),
        (lambda path: changed(path, templates=[{"smarts": 1}]), "is no whole library"),
    ],
)
def test_files_that_cannot_be_used(path, spoil, said):
    spoil(path)
    with pytest.raises(DataError, match=said) as caught:
        read_library(path)
    assert str(path) in str(caught.value)


def test_a_folder_is_no_library(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_library(tmp_path)


def test_a_file_that_cannot_be_written(path, tmp_path):
    with pytest.raises(StorageError, match="No such file or directory"):
        write_library(read_library(path), tmp_path / "nowhere" / "own.library", {})
