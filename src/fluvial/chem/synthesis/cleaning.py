"""Catalogue entries into building blocks: salts and charges removed, what is unfit refused with a reason."""

from __future__ import annotations

from dataclasses import dataclass

from rdkit import Chem, rdBase
from rdkit.Chem.MolStandardize import rdMolStandardize

from fluvial.core.errors import ConfigError

ELEMENTS = ("B", "Br", "C", "Cl", "F", "I", "N", "O", "P", "S", "Si")
"""Elements of usual building blocks."""
STEREO = ("strip", "keep")
MOST_ATOMS = 40
"""Most heavy atoms of a block by default; arbitrary, far above what catalogues of building blocks hold."""
LARGEST_COUNTERION = 12
"""Most heavy atoms of what is taken for the salt's other part; citric acid has 13, tosylic acid 11."""

UNREADABLE = "that RDKit cannot read"
MIXTURE = "that are mixtures"
NO_CARBON = "without carbon"
WRONG_ELEMENT = "with other elements"
ISOTOPE = "with isotope labels"
RADICAL = "that are radicals"
CHARGED = "whose charge cannot be removed"
TOO_SMALL = "with too few atoms"
TOO_LARGE = "with too many atoms"


@dataclass(frozen=True)
class Cleaning:
    """Which blocks are wanted.

    Raises:
        ConfigError: a limit is out of range, or `stereo` is no choice.
    """

    least_atoms: int = 1
    """Heavy atoms."""
    most_atoms: int = MOST_ATOMS
    elements: tuple[str, ...] = ELEMENTS
    stereo: str = "strip"
    """`strip` removes stereo marks, which most templates do not follow; `keep` keeps them."""

    def __post_init__(self) -> None:
        if not 1 <= self.least_atoms <= self.most_atoms:
            raise ConfigError(
                f"blocks of {self.least_atoms} to {self.most_atoms} heavy atoms cannot be; the least is 1."
            )
        if self.stereo not in STEREO:
            raise ConfigError(f"stereo = '{self.stereo}' is no choice; write one of {', '.join(STEREO)}.")
        wrong = [symbol for symbol in self.elements if not _is_element(symbol)]
        if wrong or not self.elements:
            raise ConfigError(f"elements: '{', '.join(wrong)}' is no chemical symbol; write such as C,N,O.")


def cleaned(text: str, cleaning: Cleaning) -> tuple[Chem.Mol | None, str]:
    """The block of a SMILES text with its canonical SMILES; or None, with the reason why it is unfit.

    The largest part of a salt is taken and its charges are removed as far as that is possible; nitro groups,
    azides and their like stay as they are.
    """
    with rdBase.BlockLogs():
        mol: Chem.Mol | None = Chem.MolFromSmiles(text)
        if mol is None or not mol.GetNumAtoms():
            return None, UNREADABLE
        if "." in text:
            mol = _largest_part(mol)
            if mol is None:
                return None, MIXTURE
        if "+" in text or "-" in text:
            mol = rdMolStandardize.Uncharger().uncharge(mol)
        if cleaning.stereo == "strip" and any(mark in text for mark in "@/\\"):
            Chem.RemoveStereochemistry(mol)
        reason = _unfit(mol, cleaning)
        return (None, reason) if reason else _settled(mol)


def _settled(mol: Chem.Mol) -> tuple[Chem.Mol | None, str]:
    """The molecule as it is read from its own canonical SMILES, and this."""
    text = str(Chem.MolToSmiles(mol))
    for _ in range(3):
        again = Chem.MolFromSmiles(text)
        if again is None:
            break
        written = str(Chem.MolToSmiles(again))
        if written == text:
            return again, text
        text = written
    return None, UNREADABLE


def _largest_part(mol: Chem.Mol) -> Chem.Mol | None:
    """The part of a salt or hydrate with the most heavy atoms, carbon first; None of a mixture."""
    distinct = {Chem.MolToSmiles(part): part for part in Chem.GetMolFrags(mol, asMols=True)}

    def rank(text: str) -> tuple[bool, int, str]:
        return not _has_carbon(distinct[text]), -distinct[text].GetNumHeavyAtoms(), text

    first, *others = sorted(distinct, key=rank)
    sizes = [distinct[text].GetNumHeavyAtoms() for text in others if _has_carbon(distinct[text])]
    return None if sizes and max(sizes) > LARGEST_COUNTERION else distinct[first]


def _unfit(mol: Chem.Mol, cleaning: Cleaning) -> str:
    """Why a molecule is no block that is wanted; empty if it is one."""
    atoms = list(mol.GetAtoms())
    if not any(atom.GetAtomicNum() == 6 for atom in atoms):
        return NO_CARBON
    if any(atom.GetSymbol() not in cleaning.elements and atom.GetAtomicNum() != 1 for atom in atoms):
        return WRONG_ELEMENT
    if any(atom.GetIsotope() for atom in atoms):
        return ISOTOPE
    if any(atom.GetNumRadicalElectrons() for atom in atoms):
        return RADICAL
    if sum(atom.GetFormalCharge() for atom in atoms):
        return CHARGED
    n_heavy = mol.GetNumHeavyAtoms()
    if n_heavy < cleaning.least_atoms:
        return TOO_SMALL
    return TOO_LARGE if n_heavy > cleaning.most_atoms else ""


def _has_carbon(mol: Chem.Mol) -> bool:
    return any(atom.GetAtomicNum() == 6 for atom in mol.GetAtoms())


def _is_element(symbol: str) -> bool:
    try:
        return bool(Chem.GetPeriodicTable().GetAtomicNumber(symbol) > 0)
    except RuntimeError:
        return False
