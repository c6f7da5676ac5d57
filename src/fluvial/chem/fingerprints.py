"""Morgan fingerprints of molecules, their scaffolds, and the choice of those that differ from each other."""

from __future__ import annotations

from collections.abc import Sequence

from rdkit import Chem, DataStructs, rdBase
from rdkit.Chem import rdFingerprintGenerator
from rdkit.SimDivFilters import rdSimDivPickers

from fluvial.chem.molecules import canonical_smiles, parse_smiles
from fluvial.core.errors import DataError

N_BITS = 2048
"""The usual length of a fingerprint."""

Fingerprint = DataStructs.ExplicitBitVect


def readable(texts: Sequence[str]) -> list[Chem.Mol | None]:
    """The molecule of each text; None for what is no molecule."""
    return [_molecule(text) for text in texts]


def _molecule(text: str) -> Chem.Mol | None:
    try:
        return parse_smiles(text)
    except DataError:
        return None


def morgan_fingerprints(mols: Sequence[Chem.Mol], radius: int, n_bits: int = N_BITS) -> list[Fingerprint]:
    """Morgan fingerprints of `n_bits` bits; each molecule has at least one bit.

    Args:
        mols: molecules.
        radius: bonds around each atom: 2 is ECFP4, 3 is ECFP6.
        n_bits: length.
    """
    with rdBase.BlockLogs():
        generator = rdFingerprintGenerator.GetMorganGenerator(radius=radius, fpSize=n_bits)
        return [generator.GetFingerprint(mol) for mol in mols]


def scaffold(mol: Chem.Mol) -> str:
    """Canonical SMILES of the Bemis-Murcko scaffold; empty for a molecule without rings."""
    return canonical_smiles(Chem.MurckoDecompose(mol))


def mutually_distant(fingerprints: Sequence[Fingerprint], distance: float) -> list[int]:
    """Positions of those further than `distance` from each one kept before, taken greedily in order.

    The distance is 1 - Tanimoto similarity (sphere exclusion, Butina's leaders).

    Args:
        fingerprints: each with at least one bit.
        distance: 0 to 1; what lies exactly at it is left out.
    """
    if not fingerprints:
        return []
    empty = [place for place, fingerprint in enumerate(fingerprints) if not fingerprint.GetNumOnBits()]
    if empty:
        # The distance of an empty fingerprint to itself is 1, so RDKit would pick it for ever.
        raise DataError(f"fingerprint {empty[0]} has no bits; leave out what is no molecule.")
    picker = rdSimDivPickers.LeaderPicker()
    return list(picker.LazyBitVectorPick(list(fingerprints), len(fingerprints), distance))


def nearest_similarity(fingerprints: Sequence[Fingerprint], others: Sequence[Fingerprint]) -> list[float]:
    """Tanimoto similarity of each fingerprint to the most similar of `others` (at least one), 0 to 1."""
    reference = list(others)
    return [max(DataStructs.BulkTanimotoSimilarity(one, reference)) for one in fingerprints]


def mean_similarity(fingerprints: Sequence[Fingerprint]) -> float:
    """Mean Tanimoto similarity over all unordered pairs of at least two fingerprints, 0 to 1."""
    n, known = len(fingerprints), list(fingerprints)
    total = sum(
        sum(DataStructs.BulkTanimotoSimilarity(one, known[:row])) for row, one in enumerate(known) if row
    )
    return float(total / (n * (n - 1) / 2))
