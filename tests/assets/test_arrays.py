from __future__ import annotations

import gzip
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fluvial.assets import arrays
from fluvial.assets.arrays import read_arrays
from fluvial.assets.registry import FOLDER_VARIABLE, fetch
from fluvial.core.errors import AssetError

GOOD = [
    np.arange(6, dtype=np.float32).reshape(2, 3),
    np.asfortranarray(np.arange(6, dtype=np.float64).reshape(3, 2)),
    np.array([1, 2], dtype=">i4"),
    np.array([True, False]),
    np.array(2.5),
]


def written(folder: Path, content: object, protocol: int = 3) -> Path:
    path = folder / "arrays.pkl"
    path.write_bytes(pickle.dumps(content, protocol))
    return path


@pytest.mark.parametrize("protocol", [3, 4])
def test_arrays_come_out_as_they_went_in(tmp_path: Path, protocol: int) -> None:
    found = read_arrays(written(tmp_path, GOOD, protocol))
    assert len(found) == len(GOOD)
    for one, other in zip(found, GOOD, strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.shape == other.shape


def test_a_packed_file_and_one_array_twice(tmp_path: Path) -> None:
    path = tmp_path / "arrays.pkl.gz"
    array = np.ones(3, dtype=np.float32)
    path.write_bytes(gzip.compress(pickle.dumps([array, array], 3)))
    first, second = read_arrays(path)
    np.testing.assert_array_equal(first, second)


class Harmful:
    """What `pickle` would run while it reads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder / "harm"),)


class HarmfulBuild(Harmful):
    """As above, through numpy's own name for making an array."""

    def __reduce__(self) -> tuple[Any, ...]:
        return np.array([0]).__reduce__()[0], (list, (0,), b"b")


@pytest.mark.parametrize("protocol", [3, 4])
def test_nothing_in_a_file_is_run(tmp_path: Path, protocol: int) -> None:
    with pytest.raises(AssetError, match=r"asks for (posix|nt)\.mkdir"):
        read_arrays(written(tmp_path, [np.ones(2), Harmful(tmp_path)], protocol))
    assert not (tmp_path / "harm").exists()
    with pytest.raises(AssetError, match=r"asks for .*list"):
        read_arrays(written(tmp_path, [HarmfulBuild(tmp_path)], protocol))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param([np.array([Path], dtype=object)], id="objects"),
        pytest.param([np.array(["text"])], id="texts"),
        pytest.param({"a": np.ones(1)}, id="dict"),
        pytest.param([1, 2], id="numbers"),
        pytest.param(np.ones(3), id="no list"),
        pytest.param([np.zeros(2, dtype=[("a", "f4")])], id="records"),
        pytest.param([set()], id="set"),
    ],
)
def test_other_contents_are_refused(tmp_path: Path, content: object) -> None:
    with pytest.raises(AssetError, match=r"arrays\.pkl is no list of numpy arrays and is not read"):
        read_arrays(written(tmp_path, content))


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    whole = path.read_bytes()
    for end in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:end])
        with pytest.raises(AssetError):
            read_arrays(path)
    packed = gzip.compress(whole)
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(AssetError):
        read_arrays(path)
    path.write_bytes(b"\x80\x04K\x01K\x02\x93.")  # asks for the name 2 of the module 1
    with pytest.raises(AssetError, match="is not read"):
        read_arrays(path)
    with pytest.raises(AssetError, match=r"nowhere\.pkl cannot be read"):
        read_arrays(tmp_path / "nowhere.pkl")


def test_numbers_that_do_not_fill_the_shape_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, [np.arange(4, dtype=np.float32)], 3)
    path.write_bytes(path.read_bytes().replace(b"K\x04\x85", b"K\x05\x85"))
    with pytest.raises(AssetError, match="reshape"):
        read_arrays(path)


def test_a_file_that_grows_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "MOST_BYTES", 1000)
    path = tmp_path / "arrays.pkl.gz"
    path.write_bytes(gzip.compress(pickle.dumps([np.zeros(10_000)], 3)))
    with pytest.raises(AssetError, match="larger than 1000 bytes"):
        read_arrays(path)


@pytest.mark.skipif(not os.environ.get(FOLDER_VARIABLE), reason="needs the public files")
@pytest.mark.parametrize(
    ("name", "count", "first"), [("seh-proxy", 22, (64, 71)), ("scscore", 12, (1024, 300))]
)
def test_the_public_files_of_python_2_and_3(name: str, count: int, first: tuple[int, int]) -> None:
    found = read_arrays(fetch(name))
    assert len(found) == count
    assert found[0].shape == first
    assert all(array.dtype == np.float32 and np.isfinite(array).all() for array in found)
