from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fluvial.assets import registry
from fluvial.core.errors import AssetError, DataError, StorageError
from fluvial.data.columns import Columns
from fluvial.data.qm9 import UNITS, as_float, qm9_table, read_archive, read_molecule
from fluvial.data.tables import read_rows
from fluvial.data.tally import Tally

METHANE = """\
5
gdb 1\t157.7118\t157.70997\t157.70699\t0.\t13.21\t-0.3877\t0.1171\t0.5048\t35.3641\t0.044749\t-40.47893\t-40.476062\t-40.475117\t-40.498597\t6.469\t
C\t-0.0126981359\t 1.0858041578\t 0.0080009958\t-0.535689
H\t 0.002150416\t-0.0060313176\t 0.0019761204\t 0.133921
H\t 1.0117308433\t 1.4637511618\t 0.0002765748\t 0.133922
H\t-0.540815069\t 1.4475266138\t-0.8766437152\t 0.133923
H\t-0.5238136345\t 1.4379326443\t 0.9063972942\t 1.2*^-6
1341.307\t1341.3284\t1341.365\t1562.6731\t1562.7453\t3038.3205\t3151.6034\t3151.6788\t3151.7078
C\tC\t
InChI=1S/CH4/h1H4\tInChI=1S/CH4/h1H4
"""
WATER = """\
3
gdb 3\t799.58812\t437.90386\t282.94545\t1.8511\t6.31*^0\t-2.928*^-1\t0.0687\t0.3615\t19.0002\t0.021375\t-76.404702\t-76.401867\t-76.400922\t-76.422349\t6.002
O\t-0.0343604951\t 0.9775395708\t 0.0076015923\t-0.589706
H\t 0.0647664923\t 0.0205721989\t 0.0015346341\t 0.294853
H\t 0.8717903737\t 1.3007924048\t 0.0006931336\t 0.294853
1671.4222\t3803.6305\t3907.698
O\t[OH2]
InChI=1S/H2O/h1H2\tInChI=1S/H2O/h1H2
"""


@pytest.fixture
def public(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small archive in the place of the public file, with its checksum."""
    folder = tmp_path / "assets"
    folder.mkdir()
    small = archive(folder, METHANE, WATER, name="dsgdb9nsd.xyz.tar.bz2")
    digest = hashlib.sha256(small.read_bytes()).hexdigest()
    monkeypatch.setitem(registry.ASSETS, "qm9", replace(registry.ASSETS["qm9"], sha256=digest))
    monkeypatch.setenv("FLUVIAL_ASSETS", str(folder))
    return small


def test_the_public_archive_is_found_and_checked(public: Path, tmp_path: Path) -> None:
    table = qm9_table(folder=tmp_path)
    assert pq.read_table(table)["smiles"].to_pylist() == ["C", "O"]
    public.write_bytes(public.read_bytes() + b"x")
    with pytest.raises(AssetError, match="is not the expected file"):
        qm9_table(folder=tmp_path)


def test_where_the_public_archive_comes_from() -> None:
    asset = registry.ASSETS["qm9"]
    assert asset.url == "https://ndownloader.figshare.com/files/3195389"
    assert asset.file_name == "dsgdb9nsd.xyz.tar.bz2"


def archive(folder: Path, *texts: str | bytes, name: str = "gdb9.tar.bz2") -> Path:
    path = folder / name
    with tarfile.open(path, "w:bz2" if name.endswith("bz2") else "w") as tar:
        for number, text in enumerate(texts, 1):
            data = text if isinstance(text, bytes) else text.encode()
            member = tarfile.TarInfo(f"dsgdb9nsd_{number:06}.xyz")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        extra = tarfile.TarInfo("readme.txt")
        tar.addfile(extra, io.BytesIO(b""))
    return path


def test_one_molecule() -> None:
    molecule = read_molecule(METHANE)
    assert list(molecule) == ["index", "smiles", "smiles_relaxed", "n_atoms", *UNITS]
    assert (molecule["index"], molecule["smiles"], molecule["n_atoms"]) == (1, "C", 5)
    assert (molecule["A"], molecule["mu"], molecule["gap"], molecule["Cv"]) == (157.7118, 0.0, 0.5048, 6.469)
    water = read_molecule(WATER)
    assert (water["alpha"], water["homo"]) == (6.31, -0.2928)
    assert (water["smiles"], water["smiles_relaxed"]) == ("O", "[OH2]")


def test_the_gap_is_that_of_the_orbitals() -> None:
    for text in (METHANE, WATER):
        molecule = read_molecule(text)
        assert float(molecule["lumo"]) - float(molecule["homo"]) == pytest.approx(molecule["gap"], abs=1e-4)


@pytest.mark.parametrize(
    ("text", "number"),
    [("1.2*^-6", 1.2e-6), ("-3.*^2", -300.0), ("0.", 0.0), ("5", 5.0), ("1e3", 1000.0)],
)
def test_exponents(text: str, number: float) -> None:
    assert as_float(text) == number


@pytest.mark.parametrize("name", ["gdb9.tar.bz2", "gdb9.tar"])
def test_the_table(tmp_path: Path, name: str) -> None:
    path = qm9_table(archive(tmp_path, METHANE, WATER, name=name), tmp_path / "cache")
    table = pq.read_table(path)
    assert table.column_names == ["index", "smiles", "smiles_relaxed", "n_atoms", *UNITS]
    assert table.column("index").to_pylist() == [1, 3]
    assert table.column("U0").to_pylist() == [-40.47893, -76.404702]
    assert table.schema.field("gap").metadata == {b"unit": b"Hartree"}
    rows = list(read_rows(path, Columns(reward="gap", further=("mu",))))
    assert [(row.text, row.reward, row.further) for row in rows] == [
        ("C", 0.5048, {"mu": 0.0}),
        ("O", 0.3615, {"mu": 1.8511}),
    ]


def test_it_is_converted_once(tmp_path: Path) -> None:
    source = archive(tmp_path, METHANE)
    path = qm9_table(source, tmp_path / "cache")
    written = path.stat().st_mtime_ns
    assert qm9_table(source, tmp_path / "cache") == path
    assert path.stat().st_mtime_ns == written
    other = qm9_table(archive(tmp_path, WATER), tmp_path / "cache")
    assert other != path
    assert sorted((tmp_path / "cache").iterdir()) == sorted([path, other])


def test_other_files_are_counted(tmp_path: Path) -> None:
    broken = [
        METHANE.replace("gdb 1", "qm7 1"),
        METHANE.replace("0.5048", "none"),
        METHANE.replace("5\n", "500\n", 1),
        METHANE.replace("C\tC\t\n", "C\n"),
        "",
        b"\xff\xff",
    ]
    tally = Tally(n_examples=6)
    molecules = list(read_archive(archive(tmp_path, *broken, METHANE), tally))
    assert [molecule["smiles"] for molecule in molecules] == ["C"]
    assert (tally.n_rows, tally.n_bad) == (7, 6)
    examples = tally.reasons()[0].examples
    assert examples[0] == "dsgdb9nsd_000001.xyz: line 2 is not 'gdb', a number and 15 properties"
    assert "could not convert string to float: 'none'" in examples[1]
    assert examples[2].endswith("line 1 says 500 atoms, and there are 10 lines")
    assert examples[3].endswith("line 9 does not hold two SMILES")
    assert examples[4].endswith("line 1 is not the number of atoms")


def test_archives_of_no_use_leave_nothing(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (tmp_path / "notes.tar.bz2").write_text("not an archive")
    whole = archive(tmp_path, *[METHANE] * 2000).read_bytes()
    (tmp_path / "half.tar.bz2").write_bytes(whole[: len(whole) // 2])
    for path, sentence in [
        (tmp_path / "gone.tar.bz2", "there is no such file"),
        (tmp_path / "notes.tar.bz2", "is no tar file or is damaged"),
        (tmp_path / "half.tar.bz2", "is no tar file or is damaged"),
        (archive(tmp_path, "a", name="a.tar"), "holds no molecule of QM9: 1 files of another form"),
        (archive(tmp_path, name="b.tar"), "it has no file that ends in .xyz"),
    ]:
        with pytest.raises(DataError, match=sentence):
            qm9_table(path, cache)
    assert not cache.exists() or list(cache.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="is a file, not a folder"):
        qm9_table(archive(tmp_path, METHANE), tmp_path / "file")


def test_a_conversion_that_was_broken_off_is_done_again(tmp_path: Path) -> None:
    source, cache = archive(tmp_path, METHANE), tmp_path / "cache"
    path = qm9_table(source, cache)
    whole = path.read_bytes()
    path.rename(path.with_name(f"{path.name}.99.partial"))
    assert qm9_table(source, cache).read_bytes() == whole
