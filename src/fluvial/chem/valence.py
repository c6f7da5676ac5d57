"""How many bonds an atom can have, and how many hydrogens it is given, as RDKit has it."""

from __future__ import annotations

from functools import lru_cache

from rdkit import Chem, rdBase

from fluvial.core.errors import ConfigError

_NO_LIMIT = 9
"""Bonds that no atom with a limit has; RDKit sets none for most metals and for some charges."""


@lru_cache(maxsize=4096)
def most_bonds(symbol: str, charge: int) -> int | None:
    """Most bonds of an atom, each counted by its order; None where RDKit knows no limit or no such atom.

    Nitrogen has 3 bonds, as N+ 4, as N- 2; oxygen 2, as O+ 3, as O- 1; sulphur and phosphorus have their
    highest valences, 6 and 5.
    """
    most = None
    for n_bonds in range(_NO_LIMIT + 1):
        if not _is_possible(symbol, charge, n_bonds):
            return most
        most = n_bonds
    return None


@lru_cache(maxsize=4096)
def implied_hydrogens(symbol: str, charge: int, n_bonds: int) -> int:
    """Hydrogens that RDKit adds to an atom of `n_bonds` bonds, at most `most_bonds`."""
    mol = _lone_atom(symbol, charge, n_bonds, False)
    mol.UpdatePropertyCache(strict=False)
    return int(mol.GetAtomWithIdx(0).GetNumImplicitHs())


def check_element(symbol: str) -> None:
    """Raise `ConfigError` for what is no element that molecules can be built of."""
    table = Chem.GetPeriodicTable()
    with rdBase.BlockLogs():
        try:
            number = table.GetAtomicNumber(symbol)
        except RuntimeError:
            number = 0
    if number == 0:
        raise ConfigError(f"element '{symbol}' is unknown; write symbols such as 'C' or 'Cl'")
    if number == 1:
        raise ConfigError("element 'H' cannot be added: hydrogens follow from the other atoms' bonds")
    if not most_bonds(symbol, 0):
        raise ConfigError(f"element '{symbol}' has no fixed number of bonds; leave it out")


def _is_possible(symbol: str, charge: int, n_bonds: int) -> bool:
    with rdBase.BlockLogs():
        try:
            _lone_atom(symbol, charge, n_bonds, True).UpdatePropertyCache(strict=True)
        except Chem.AtomValenceException:
            return False
    return True


def _lone_atom(symbol: str, charge: int, n_hydrogens: int, is_closed: bool) -> Chem.RWMol:
    atom = Chem.Atom(symbol)
    atom.SetFormalCharge(charge)
    atom.SetNumExplicitHs(n_hydrogens)
    atom.SetNoImplicit(is_closed)
    mol = Chem.RWMol()
    mol.AddAtom(atom)
    return mol
