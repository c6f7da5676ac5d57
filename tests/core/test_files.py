from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import pytest

from fluvial.core.errors import StorageError
from fluvial.core.files import replaced, storage_error, write_bytes_atomic, write_text_atomic


def disk_full(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_is_replaced_as_a_whole_and_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_text_atomic(path, "first")
    write_text_atomic(path, "Ångström\n")
    assert path.read_bytes() == "Ångström\n".encode()
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_file_that_cannot_be_replaced_keeps_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table.csv"
    write_bytes_atomic(path, b"old")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(StorageError, match=r"table.csv: no room is left on its disk .* Free some space"):
        write_bytes_atomic(path, b"new")
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("table.csv", b"old")]


def test_a_file_beyond_the_size_limit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StorageError, match="no room is left"):
            write_bytes_atomic(path, bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_place_of_the_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "table.csv").mkdir()
    with pytest.raises(StorageError, match=r"table.csv: Is a directory. Check the path"):
        write_bytes_atomic(tmp_path / "table.csv", b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["table.csv"]


def test_a_file_in_a_missing_folder_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file or directory"):
        write_text_atomic(tmp_path / "missing" / "file", "")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "no room is left"),
        (errno.EDQUOT, "no room is left"),
        (errno.EROFS, "access was refused"),
        (errno.EIO, "Check the path and the disk"),
    ],
)
def test_system_errors_name_the_path_and_the_remedy(code: int, words: str) -> None:
    message = str(storage_error(OSError(code, os.strerror(code)), Path("/data/run")))
    assert message.startswith("/data/run: ")
    assert words in message
    assert os.strerror(code) in message


def test_an_error_while_the_draft_is_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_text_atomic(path, "old")
    with pytest.raises(ZeroDivisionError), replaced(path) as draft:
        draft.write_text("half")
        raise ZeroDivisionError
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [("page.html", "old")]
