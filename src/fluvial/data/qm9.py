"""QM9: 133 885 small molecules with 15 computed properties, out of the archive of its authors.

The archive (`dsgdb9nsd.xyz.tar.bz2`) holds one text of extended XYZ for each molecule: the number of atoms;
"gdb", a number and 15 properties; a line for each atom; the frequencies; two SMILES, of the molecule that was
meant and of the relaxed geometry; two InChI. Exponents are written "1.2*^-6". (Ramakrishnan et al. 2014,
doi:10.1038/sdata.2014.22, tables 2 and 3.)
"""

from __future__ import annotations

import hashlib
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fluvial.assets.registry import cache_folder, fetch
from fluvial.core.errors import DataError
from fluvial.core.files import make_folder, replaced
from fluvial.data.tables import in_blocks
from fluvial.data.tally import Tally, in_words

UNITS: dict[str, str] = {
    "A": "GHz",
    "B": "GHz",
    "C": "GHz",
    "mu": "Debye",
    "alpha": "Bohr^3",
    "homo": "Hartree",
    "lumo": "Hartree",
    "gap": "Hartree",
    "r2": "Bohr^2",
    "zpve": "Hartree",
    "U0": "Hartree",
    "U": "Hartree",
    "H": "Hartree",
    "G": "Hartree",
    "Cv": "cal/(mol K)",
}
"""The properties in the order of the files, and their units. Rotational constants A, B, C; dipole moment;
isotropic polarisability; orbital energies and their gap; spatial extent; zero-point energy; internal energy
at 0 K and, with enthalpy, free energy and heat capacity, at 298.15 K."""
VERSION = 1
"""Of the table's layout; tables of another one are made anew."""
MOLECULES_AT_ONCE = 2048  # bounds memory
LARGEST_TEXT = 1 << 16  # bytes of one molecule; those of QM9 have 3 kB at most

Molecule = dict[str, str | int | float]


ASSET = "qm9"
"""Name of the archive among the public files."""


def qm9_table(archive: Path | None = None, folder: Path | None = None) -> Path:
    """The Parquet file that holds the molecules of `archive`, made on the first call.

    Columns: `index`, `smiles`, `smiles_relaxed`, `n_atoms` with hydrogens, and the properties of `UNITS`; the
    unit is in the metadata of each field. The file appears whole or not at all, so a conversion that was
    broken off is simply done again.

    Args:
        archive: the tar file of the authors, packed or not; by default the public file `qm9`, whose
            checksum is known, downloaded on first use (86 MB).
        folder: where the table goes; by default the user's cache.

    Raises:
        AssetError: the public file is neither here nor can it be downloaded, or is damaged.
        DataError: the archive cannot be read, or holds no molecule of this form.
        StorageError: the table cannot be written.
    """
    archive = fetch(ASSET) if archive is None else archive
    target = (folder or cache_folder()) / f"qm9-v{VERSION}-{_digest(archive)}.parquet"
    if not target.is_file():
        _convert(archive, target)
    return target


def _digest(archive: Path) -> str:
    try:
        with archive.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()[:16]
    except FileNotFoundError:
        raise DataError(f"{archive}: there is no such file.") from None
    except OSError as error:
        raise DataError(f"{archive} cannot be read: {error.strerror}.") from None


def _convert(archive: Path, target: Path) -> None:
    tally = Tally()
    make_folder(target.parent)
    with replaced(target) as draft:
        with draft.open("wb") as stream:
            _write(archive, stream, tally)
        if tally.n_rows == tally.n_bad:
            why = in_words(tally.reasons()) or "it has no file that ends in .xyz"
            raise DataError(f"{archive}: holds no molecule of QM9: {why}.")


def _write(archive: Path, stream: Any, tally: Tally) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [
        pa.field("index", pa.int64()),
        pa.field("smiles", pa.string()),
        pa.field("smiles_relaxed", pa.string()),
        pa.field("n_atoms", pa.int64()),
        *(pa.field(name, pa.float64(), metadata={"unit": unit}) for name, unit in UNITS.items()),
    ]
    schema = pa.schema(fields)
    with pq.ParquetWriter(stream, schema) as writer:
        for block in in_blocks(read_archive(archive, tally), MOLECULES_AT_ONCE):
            writer.write_table(pa.Table.from_pylist(block, schema))


def read_archive(archive: Path, tally: Tally) -> Iterator[Molecule]:
    """The molecules of the archive in its order; files of another form are counted in `tally`.

    Raises:
        DataError: it is no tar file, or is damaged.
    """
    try:
        with tarfile.open(archive, "r|*") as tar:
            for member in tar:
                tar.members = []  # type: ignore[attr-defined]  # it would remember all of them
                if not member.isfile() or not member.name.endswith(".xyz"):
                    continue
                content = tar.extractfile(member)
                text = b"" if content is None else content.read(LARGEST_TEXT)
                try:
                    molecule = read_molecule(text.decode())
                except ValueError as error:
                    tally.add("files of another form", f"{member.name}: {error}")
                    continue
                tally.add()
                yield molecule
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataError(f"{archive}: is no tar file or is damaged ({error}).") from None


def read_molecule(text: str) -> Molecule:
    """What the XYZ text of one molecule says, without its geometry.

    Raises:
        ValueError: a line is not as it should be; the message names it.
    """
    lines = text.splitlines()
    n_atoms = _whole(lines, 0, "the number of atoms")
    if n_atoms < 1 or len(lines) < n_atoms + 4:
        raise ValueError(f"line 1 says {n_atoms} atoms, and there are {len(lines)} lines")
    tag, *numbers = lines[1].split() or [""]
    if tag != "gdb" or len(numbers) != 1 + len(UNITS):
        raise ValueError(f"line 2 is not 'gdb', a number and {len(UNITS)} properties")
    place = n_atoms + 3
    smiles = lines[place].split()
    if len(smiles) != 2:
        raise ValueError(f"line {place + 1} does not hold two SMILES")
    properties: Mapping[str, float] = dict(zip(UNITS, map(as_float, numbers[1:]), strict=True))
    return {
        "index": int(numbers[0]),
        "smiles": smiles[0],
        "smiles_relaxed": smiles[1],
        "n_atoms": n_atoms,
        **properties,
    }


def as_float(text: str) -> float:
    """The number that a text writes, also with an exponent such as "1.2*^-6"; ValueError if there is none."""
    return float(text.replace("*^", "e"))


def _whole(lines: list[str], place: int, what: str) -> int:
    if place >= len(lines) or not lines[place].strip().isdecimal():
        raise ValueError(f"line {place + 1} is not {what}")
    return int(lines[place])
