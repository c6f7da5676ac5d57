"""The box in which poses are looked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase

from fluvial.core.errors import ConfigError
from fluvial.oracles.vina.target import BoxConfig

ATOM_LINES = ("ATOM", "HETATM")


@dataclass(frozen=True)
class Box:
    """Centre and sides along x, y and z, Å."""

    center: tuple[float, float, float]
    size: tuple[float, float, float]


def box_of(config: BoxConfig, receptor: Path, base: Path) -> Box:
    """The box that a target file describes.

    Args:
        config: how.
        receptor: a file in which residues are looked up.
        base: folder that relative paths start from.

    Raises:
        ConfigError: a file or a residue is not there.
    """
    if config.center is not None and config.size is not None:
        return Box(config.center, config.size)
    if config.ligand is not None:
        points = ligand_positions(base / Path(config.ligand).expanduser())
    else:
        points = residue_positions(receptor, config.residues)
    low, high = points.min(axis=0), points.max(axis=0)
    center, size = (low + high) / 2.0, high - low + 2.0 * config.margin
    return Box(_rounded(center), _rounded(size))


def residue_positions(receptor: Path, residues: tuple[str, ...]) -> NDArray[np.float64]:
    """Positions of all atoms of the named residues, [n, 3], Å.

    Raises:
        ConfigError: there is no such residue.
    """
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in residues}
    for line in receptor.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith(ATOM_LINES):
            chain, number = line[21:22].strip(), line[22:27].strip()
            for name in {f"{chain}:{number}", number} & set(found):
                found[name].append(_position(line))
    if missing := [name for name, points in found.items() if not points]:
        raise ConfigError(f"{receptor} has no residue {', '.join(missing)}; write it as CHAIN:NUMBER")
    return np.array([point for points in found.values() for point in points])


def ligand_positions(path: Path) -> NDArray[np.float64]:
    """Positions of the atoms of the molecule in a file, [n, 3], Å.

    Raises:
        ConfigError: it cannot be read, or has no positions.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such file of a reference ligand")
    if path.suffix.lower() in (".pdb", ".pdbqt"):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        points = [_position(line) for line in lines if line.startswith(ATOM_LINES)]
    else:
        with rdBase.BlockLogs():
            mol = _molecule(path)
        points = [] if mol is None or not mol.GetNumConformers() else mol.GetConformer().GetPositions()
    if not len(points):
        raise ConfigError(f"{path} has no molecule with positions; give an .sdf, .mol2, .pdb or .pdbqt file")
    return np.asarray(points, dtype=np.float64)


def _molecule(path: Path) -> Chem.Mol | None:
    if path.suffix.lower() == ".mol2":
        return Chem.MolFromMol2File(str(path), sanitize=False)
    return next(iter(Chem.SDMolSupplier(str(path), sanitize=False)), None)


def _position(line: str) -> tuple[float, float, float]:
    return float(line[30:38]), float(line[38:46]), float(line[46:54])


def _rounded(values: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = (round(float(value), 3) for value in values)
    return x, y, z
