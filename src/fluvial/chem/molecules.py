"""Text into molecules and back: the few RDKit calls that need care."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import rdinchi

from fluvial.core.errors import DataError

LONGEST_SMILES = 2000
"""Characters. RDKit's time grows with their square: 10,000 carbons take seconds, and no drug has so many."""
_MAX_SHOWN = 200


def parse_smiles(text: str) -> Chem.Mol:
    """The sanitised molecule that a SMILES string writes.

    Raises `DataError`, which names the text and RDKit's reason, for text that is empty, too long, not ASCII,
    holds blanks, breaks the grammar or writes an impossible molecule. RDKit writes nothing to stderr
    meanwhile.
    """
    stripped = text.strip()
    if not stripped:
        raise DataError("an empty text is no SMILES; write at least one atom.")
    if len(stripped) > LONGEST_SMILES:
        raise DataError(
            f"'{_shortened(stripped)}' has {len(stripped)} characters; a SMILES may have {LONGEST_SMILES}."
        )
    if not stripped.isascii():
        raise DataError(
            f"'{_printable(stripped)}' is no valid SMILES: it holds characters that are not ASCII."
        )
    with rdBase.BlockLogs():
        mol = None if len(stripped.split()) > 1 else Chem.MolFromSmiles(stripped)
        if mol is None:
            raise DataError(f"'{_shortened(stripped)}' is no valid SMILES: {_reason(stripped)}.")
    return mol


def canonical_smiles(mol: Chem.Mol) -> str:
    """RDKit's canonical SMILES of a molecule, stereo marks included."""
    return str(Chem.MolToSmiles(mol))


def bond_orders(mol: Chem.Mol) -> NDArray[np.float64]:
    """Orders of the bonds between atoms, float64 [atoms, atoms], nan where there is none.

    An aromatic bond has 1.5; a dative one 1 from one of its sides and 0 from the other. One call is quicker
    than an object for each bond.
    """
    orders: NDArray[np.float64] = Chem.GetAdjacencyMatrix(mol, useBO=True, emptyVal=-1, force=True)
    mol.ClearProp("AdjacencyMatrixBO")  # else the molecule keeps it
    return orders


def bonds_apart(mol: Chem.Mol) -> NDArray[np.float64]:
    """The fewest bonds from atom to atom, float64 [atoms, atoms]; 1e8 where no path leads."""
    distances: NDArray[np.float64] = Chem.GetDistanceMatrix(mol)
    for name in ("DistanceMatrix", "DistanceMatrix_Paths"):
        mol.ClearProp(name)
    return distances


def inchi_key(mol: Chem.Mol) -> str:
    """The 27-letter standard InChIKey of a molecule; `DataError` where InChI cannot write it."""
    with rdBase.BlockLogs():
        key = str(rdinchi.MolToInchiKey(mol))
    if not key:
        raise DataError(f"InChI cannot write '{_shortened(canonical_smiles(mol))}'; leave this molecule out.")
    return key


def _reason(text: str) -> str:
    """Why RDKit refused a text. Its grammar errors reach only the log, so they have one common wording."""
    if len(text.split()) > 1:
        return "it holds blanks; one molecule is one word"
    draft = Chem.MolFromSmiles(text, sanitize=False)
    if draft is None:
        return "the grammar is broken (a ring, bracket or branch left open, or an unknown symbol)"
    try:
        problems = [problem.Message().strip() for problem in Chem.DetectChemistryProblems(draft)]
    except RuntimeError:
        # Some molecules break a condition inside RDKit, such as atoms with more than 255 hydrogens.
        problems = []
    return "; ".join(problems).rstrip(".") or "RDKit cannot sanitise it"


def _printable(text: str) -> str:
    return _shortened(text).encode("ascii", "backslashreplace").decode()


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
