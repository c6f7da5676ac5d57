"""Numbers that RDKit calculates for a molecule, by name."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import Any

from rdkit import Chem, DataStructs
from rdkit.Chem import Mol, rdMolDescriptors

from fluvial.chem.molecules import parse_smiles
from fluvial.core.errors import ConfigError, DataError

MoleculeFunction = Callable[[Mol], float]


@dataclass(frozen=True)
class Property:
    """A number for each molecule and how to read it."""

    function: MoleculeFunction
    """Takes a sanitised molecule with at least one atom."""
    unit: str
    """Empty for a pure number."""
    description: str
    """One line."""
    natural_range: tuple[float, float]
    """Least and greatest possible value; infinite where there is no bound."""


def _qed(mol: Mol) -> float:
    from fluvial.chem.drug_likeness import qed

    return qed(mol)


def _synthetic_accessibility(mol: Mol) -> float:
    from rdkit.Contrib.SA_Score import sascorer

    return float(sascorer.calculateScore(mol))


@lru_cache(maxsize=1)
def _natural_product_model() -> dict[int, float]:
    from rdkit.Contrib.NP_Score import npscorer

    # The reader announces itself on stderr.
    with contextlib.redirect_stderr(io.StringIO()):
        model: dict[int, float] = npscorer.readNPModel()
    return model


def _natural_product_likeness(mol: Mol) -> float:
    from rdkit.Contrib.NP_Score import npscorer

    return float(npscorer.scoreMol(mol, _natural_product_model()))


def _weight(mol: Mol) -> float:
    from rdkit.Chem import Descriptors

    return float(Descriptors.MolWt(mol))  # type: ignore[attr-defined]


PROPERTIES: dict[str, Property] = {
    "qed": Property(_qed, "", "drug-likeness (Bickerton et al. 2012)", (0.0, 1.0)),
    "sa": Property(
        _synthetic_accessibility,
        "",
        "synthetic accessibility, 1 easy to 10 hard (Ertl and Schuffenhauer 2009)",
        (1.0, 10.0),
    ),
    "sa_normalised": Property(
        lambda mol: (10.0 - _synthetic_accessibility(mol)) / 9.0,
        "",
        "synthetic accessibility as (10 - SA) / 9, 0 hard to 1 easy",
        (0.0, 1.0),
    ),
    "np": Property(_natural_product_likeness, "", "natural-product likeness (Ertl et al. 2008)", (-inf, inf)),
    "logp": Property(
        lambda mol: float(rdMolDescriptors.CalcCrippenDescriptors(mol)[0]),
        "",
        "octanol-water log P (Wildman and Crippen 1999)",
        (-inf, inf),
    ),
    "mw": Property(_weight, "g/mol", "average molecular weight", (0.0, inf)),
    "tpsa": Property(
        lambda mol: float(rdMolDescriptors.CalcTPSA(mol)),
        "Å²",
        "topological polar surface area (Ertl et al. 2000)",
        (0.0, inf),
    ),
    "hbd": Property(
        lambda mol: float(rdMolDescriptors.CalcNumHBD(mol)), "", "hydrogen-bond donors", (0.0, inf)
    ),
    "hba": Property(
        lambda mol: float(rdMolDescriptors.CalcNumHBA(mol)), "", "hydrogen-bond acceptors", (0.0, inf)
    ),
    "rings": Property(
        lambda mol: float(rdMolDescriptors.CalcNumRings(mol)), "", "rings (smallest set)", (0.0, inf)
    ),
    "aromatic_rings": Property(
        lambda mol: float(rdMolDescriptors.CalcNumAromaticRings(mol)), "", "aromatic rings", (0.0, inf)
    ),
    "rotatable_bonds": Property(
        lambda mol: float(rdMolDescriptors.CalcNumRotatableBonds(mol)),
        "",
        "rotatable bonds, amides excluded",
        (0.0, inf),
    ),
    "heavy_atoms": Property(
        lambda mol: float(mol.GetNumHeavyAtoms()), "", "atoms other than hydrogen", (0.0, inf)
    ),
    "fraction_csp3": Property(
        lambda mol: float(rdMolDescriptors.CalcFractionCSP3(mol)),
        "",
        "fraction of the carbons that are sp3",
        (0.0, 1.0),
    ),
}


@lru_cache(maxsize=1)
def _fingerprints() -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    return rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)


def similarity_to(smiles: Sequence[str]) -> MoleculeFunction:
    """A function: molecule to its greatest Tanimoto similarity, 0 to 1, to any of the given molecules.

    The fingerprints are Morgan of radius 2 with 2048 bits.

    Raises:
        ConfigError: no molecule, or one that cannot be read.
    """
    if not smiles:
        raise ConfigError("similarity needs at least one molecule to compare with")
    try:
        targets = [_fingerprints().GetFingerprint(parse_smiles(text)) for text in smiles]
    except DataError as error:
        raise ConfigError(f"similarity: {error}") from error

    def similarity(mol: Mol) -> float:
        return float(max(DataStructs.BulkTanimotoSimilarity(_fingerprints().GetFingerprint(mol), targets)))

    return similarity


def parse_smarts(text: str) -> Mol:
    """The query molecule of a SMARTS pattern.

    Raises:
        ConfigError: not a SMARTS pattern, or an empty one.
    """
    from rdkit import rdBase

    with rdBase.BlockLogs():
        pattern = Chem.MolFromSmarts(text)
    if pattern is None or pattern.GetNumAtoms() == 0:
        raise ConfigError(f"'{text}' is not a SMARTS pattern")
    return pattern


def substructure_count(smarts: str) -> MoleculeFunction:
    """A function: molecule to the number of distinct places (sets of atoms) where the pattern matches.

    Raises:
        ConfigError: `smarts` is not a SMARTS pattern.
    """
    pattern = parse_smarts(smarts)

    def count(mol: Mol) -> float:
        return float(len(mol.GetSubstructMatches(pattern)))

    return count
