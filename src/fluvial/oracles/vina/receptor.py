"""A receptor from a PDB file, as PDBQT: hydrogens on polar atoms, and the atom types of AutoDock."""

from __future__ import annotations

from pathlib import Path

from rdkit import Chem, rdBase

from fluvial.core.errors import ConfigError

WATERS = ("HOH", "WAT", "DOD")
METALS = {"MG": "Mg", "ZN": "Zn", "MN": "Mn", "CA": "Ca", "FE": "Fe", "CU": "Cu", "NI": "Ni", "CO": "Co"}


def receptor_pdbqt(path: Path) -> str:
    """PDBQT lines of the receptor in a PDB file, without waters; charges, which Vina does not read, are 0.

    Bond orders of standard residues are known by their names. Hydrogens that are missing are added.

    Raises:
        ConfigError: the file cannot be read, holds a small molecule, or an atom that has no type.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    kept = [
        line
        for line in lines
        if line.startswith(("ATOM", "TER", "HETATM")) and line[17:20].strip() not in WATERS
    ]
    strange = sorted(
        {line[17:20].strip() for line in kept if line.startswith("HETATM")} - set(METALS) - {"MSE"}
    )
    if strange:
        raise ConfigError(
            f"{path} holds {', '.join(strange)} beside the protein: leave it out, "
            "or prepare the receptor as .pdbqt with a program that knows it"
        )
    with rdBase.BlockLogs():
        mol = Chem.MolFromPDBBlock("\n".join(kept), removeHs=False, proximityBonding=True)
        if mol is None or mol.GetNumAtoms() == 0:
            raise ConfigError(f"{path} cannot be read as the PDB file of a protein")
        mol = Chem.AddHs(mol, addCoords=True, addResidueInfo=True)
    return "\n".join(_lines(mol, path)) + "\n"


def _lines(mol: Chem.Mol, path: Path) -> list[str]:
    places = mol.GetConformer()
    lines: list[str] = []
    for atom in mol.GetAtoms():
        if atom.GetAtomicNum() == 1 and not _is_polar_hydrogen(atom):
            continue
        info, place = atom.GetPDBResidueInfo(), places.GetAtomPosition(atom.GetIdx())
        kind = atom_type(atom)
        if kind is None:
            raise ConfigError(
                f"{path}: {info.GetResidueName()} {info.GetResidueNumber()} has "
                f"{atom.GetSymbol()}, for which docking has no type"
            )
        lines.append(
            f"ATOM  {len(lines) + 1:>5} {info.GetName():<4.4} {info.GetResidueName():>3.3} "
            f"{info.GetChainId():1.1}{info.GetResidueNumber():>4}    "
            f"{place.x:8.3f}{place.y:8.3f}{place.z:8.3f}  1.00  0.00    {0.0:6.3f} {kind:<2}"
        )
    return lines


def atom_type(atom: Chem.Atom) -> str | None:
    """AutoDock's type of an atom of a protein; None where there is none."""
    symbol = atom.GetSymbol()
    if symbol == "C":
        return "A" if atom.GetIsAromatic() else "C"
    if symbol == "N":
        is_acceptor = (
            atom.GetIsAromatic() and atom.GetTotalNumHs(includeNeighbors=True) == 0 and atom.GetDegree() == 2
        )
        return "NA" if is_acceptor else "N"
    simple = {
        "O": "OA",
        "S": "SA",
        "Se": "S",
        "P": "P",
        "H": "HD",
        "F": "F",
        "Cl": "Cl",
        "Br": "Br",
        "I": "I",
    }
    return simple.get(symbol) or METALS.get(symbol.upper())


def _is_polar_hydrogen(atom: Chem.Atom) -> bool:
    return any(other.GetSymbol() in ("N", "O", "S") for other in atom.GetNeighbors())
