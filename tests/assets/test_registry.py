from __future__ import annotations

import hashlib
import os
from pathlib import Path

import platformdirs
import pooch
import pytest

from fluvial.assets import registry
from fluvial.assets.registry import ASSETS, Asset, fetch
from fluvial.core.errors import AssetError

CONTENT = b"three lines\nof\ntext\n"
ASSET = Asset(
    "small.txt", "owner/project", "c0ffee", "data/small.txt", hashlib.sha256(CONTENT).hexdigest(), "MIT"
)


class Server:
    """Stands in for pooch's downloader; serves fixed bytes or fails."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer
        self.urls: list[str] = []

    def __call__(self, url: str, output_file: object, _pooch: object, check_only: bool = False) -> None:
        self.urls.append(url)
        if isinstance(self.answer, Exception):
            raise self.answer
        Path(str(output_file)).write_bytes(self.answer)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home" / ".cache" / "fluvial"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda _name: str(folder))
    monkeypatch.delenv("FLUVIAL_ASSETS", raising=False)
    monkeypatch.setitem(registry.ASSETS, "small", ASSET)
    return folder


def serve(monkeypatch: pytest.MonkeyPatch, answer: bytes | Exception) -> Server:
    server = Server(answer)
    monkeypatch.setattr(pooch, "HTTPDownloader", lambda **_options: server)
    return server


def test_the_named_folder_comes_first(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(monkeypatch, OSError("no network"))
    for folder in (tmp_path / "assets", cache):
        folder.mkdir(parents=True)
        (folder / "small.txt").write_bytes(CONTENT)
    monkeypatch.setenv("FLUVIAL_ASSETS", str(tmp_path / "assets"))
    assert fetch("small") == tmp_path / "assets" / "small.txt"
    monkeypatch.setenv("FLUVIAL_ASSETS", "")
    assert fetch("small") == cache / "small.txt"
    assert server.urls == []


def test_a_damaged_file_in_the_named_folder_is_an_error_with_both_hashes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "small.txt").write_bytes(b"other")
    monkeypatch.setenv("FLUVIAL_ASSETS", str(tmp_path))
    with pytest.raises(AssetError) as caught:
        fetch("small")
    assert ASSET.sha256 in str(caught.value)
    assert hashlib.sha256(b"other").hexdigest() in str(caught.value)


def test_a_named_folder_that_is_none_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUVIAL_ASSETS", str(tmp_path / "nowhere"))
    with pytest.raises(AssetError, match=r"FLUVIAL_ASSETS names .*nowhere"):
        fetch("small")


def test_a_missing_file_is_downloaded_once(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(monkeypatch, CONTENT)
    monkeypatch.setenv("FLUVIAL_ASSETS", str(tmp_path))
    assert fetch("small") == cache / "small.txt"
    assert fetch("small").read_bytes() == CONTENT
    assert server.urls == ["https://raw.githubusercontent.com/owner/project/c0ffee/data/small.txt"]


def test_a_damaged_cached_file_is_replaced(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, CONTENT)
    cache.mkdir(parents=True)
    (cache / "small.txt").write_bytes(b"half")
    assert fetch("small").read_bytes() == CONTENT


def test_a_failed_download_tells_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, OSError("Name or service\nnot known"))
    with pytest.raises(AssetError) as caught:
        fetch("small")
    assert str(caught.value) == (
        "'small' (small.txt) is not in FLUVIAL_ASSETS or ~/.cache/fluvial and could not be downloaded "
        "(Name or service not known). On a connected machine run `fluvial data fetch small`, then copy that "
        "folder, or put the file in a folder named by FLUVIAL_ASSETS."
    )


def test_wrong_bytes_from_the_server_are_not_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, b"<html>not found</html>")
    with pytest.raises(AssetError, match="could not be downloaded"):
        fetch("small")
    assert not (cache / "small.txt").exists()


def test_an_unknown_name_is_answered_with_the_nearest_and_all() -> None:
    with pytest.raises(
        AssetError, match=r"Did you mean 'seh-proxy'\?.*bengio2021, seh-proxy, hartenfeller-button"
    ):
        fetch("she-proxy")
    with pytest.raises(AssetError, match=r"'zzz' is no known asset\. The names are"):
        fetch("zzz")


def test_records_are_pinned_and_distinct() -> None:
    names = [
        "bengio2021",
        "seh-proxy",
        "hartenfeller-button",
        "rgfn-chemistry",
        "rgfn-seh-receptor",
        "tfbind8",
    ]
    assert set(ASSETS) >= {*names, "scscore"}
    records = [asset for name, asset in ASSETS.items() if name != "small"]
    assert len({asset.file_name for asset in records}) == len(records)
    for asset in records:
        assert len(bytes.fromhex(asset.sha256)) == 32
        if not asset.address:
            assert len(bytes.fromhex(asset.commit)) == 20
            assert asset.url.startswith("https://raw.githubusercontent.com/")
        assert asset.url.startswith("https://")


LOCAL_FOLDER = os.environ.get("FLUVIAL_ASSETS", "")


@pytest.mark.skipif(not LOCAL_FOLDER, reason="needs the public files in the folder named by FLUVIAL_ASSETS")
@pytest.mark.parametrize("name", [name for name in ASSETS if name not in ("small", "qm9")])
def test_the_public_files_have_the_recorded_checksums(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUVIAL_ASSETS", LOCAL_FOLDER)
    assert fetch(name) == Path(LOCAL_FOLDER) / ASSETS[name].file_name
