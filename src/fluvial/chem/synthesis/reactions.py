"""Reaction templates made ready to run on molecules."""

from __future__ import annotations

from collections.abc import Sequence

from rdkit import Chem, rdBase
from rdkit.Chem import rdChemReactions, rdqueries

from fluvial.chem.molecules import canonical_smiles
from fluvial.chem.synthesis.templates import MOST_PRODUCTS, Template


def _query(atom: Chem.QueryAtom) -> Chem.Mol:
    mol = Chem.RWMol()
    mol.AddAtom(atom)
    return mol.GetMol()


_RADICAL = _query(rdqueries.NumRadicalElectronsGreaterQueryAtom(0))
"""Any atom with unpaired electrons."""


class Reaction:
    """A template made ready once: what its reactants are and what it makes of them.

    Args:
        template: from `read_templates`, which has checked it.
    """

    def __init__(self, template: Template) -> None:
        with rdBase.BlockLogs():
            self._reaction = rdChemReactions.ReactionFromSmarts(template.smarts)
            self._reaction.Initialize()
        self.template = template
        self.product: Chem.Mol = self._reaction.GetProductTemplate(0)
        """What the template makes, as written."""
        self.patterns: tuple[Chem.Mol, ...] = tuple(self._reaction.GetReactants())
        """The query of each reactant."""

    def matches(self, molecule: Chem.Mol, position: int) -> bool:
        """Whether a molecule can be reactant number `position`, from 0."""
        return bool(molecule.HasSubstructMatch(self.patterns[position]))

    def products(self, *reactants: Chem.Mol) -> tuple[str, ...]:
        """Canonical SMILES of all distinct products, sorted; none where the reaction does not run.

        A product that breaks the rules of valence, has a radical that its reactants have not, or falls into
        several molecules is left out.

        Args:
            reactants: as many as the template has, in its order.
        """
        return tuple(self.made(*reactants))

    def made(self, *reactants: Chem.Mol) -> dict[str, Chem.Mol | None]:
        """The same texts, in the same order, each with the molecule that was read from it, if one was."""
        found: dict[str, Chem.Mol | None] = {}
        with rdBase.BlockLogs():
            drafts = self._reaction.RunReactants(reactants, maxProducts=MOST_PRODUCTS)
            for first in dict.fromkeys(first_text(draft) for (draft,) in drafts):
                text, mol = read_again(first, reactants) if first else ("", None)
                if text:
                    found[text] = found.get(text) or mol
        return dict(sorted(found.items()))

    def runs(self, *reactants: Chem.Mol) -> bool:
        """Whether it gives a product, without finding out which: half of the time of `products`."""
        with rdBase.BlockLogs():
            drafts = self._reaction.RunReactants(reactants, maxProducts=MOST_PRODUCTS)
            return any(_is_sound(draft, reactants) for (draft,) in drafts)


def read_again(first: str, reactants: Sequence[Chem.Mol] = ()) -> tuple[str, Chem.Mol | None]:
    """The canonical SMILES behind a first text, since what RDKit writes first may depend on how the product
    was made; empty where it is no molecule. With it the molecule, where it was read from this very text.

    Args:
        first: from `first_text`.
        reactants: whose unpaired electrons it may have.
    """
    mol = Chem.MolFromSmiles(first)
    if mol is None or _has_new_radicals(mol, reactants):
        return "", None
    text = canonical_smiles(mol)
    return text, mol if text == first else None


def first_text(draft: Chem.Mol) -> str:
    """The SMILES of an unsanitised product, which it sanitises; empty where it is not one molecule."""
    if Chem.SanitizeMol(draft, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
        return ""
    text = canonical_smiles(draft)
    return "" if "." in text else text


def reactions_of(templates: Sequence[Template]) -> tuple[Reaction, ...]:
    """The templates made ready, in their order."""
    return tuple(Reaction(template) for template in templates)


def _is_sound(draft: Chem.Mol, reactants: Sequence[Chem.Mol]) -> bool:
    """Whether an unsanitised product, which is sanitised, is one molecule without new radicals."""
    flag = Chem.SanitizeMol(draft, catchErrors=True)
    is_one = flag == Chem.SanitizeFlags.SANITIZE_NONE and len(Chem.GetMolFrags(draft)) == 1
    return is_one and not _has_new_radicals(draft, reactants)


def _has_new_radicals(mol: Chem.Mol, reactants: Sequence[Chem.Mol]) -> bool:
    return mol.HasSubstructMatch(_RADICAL) and _n_radicals(mol) > sum(map(_n_radicals, reactants))


def _n_radicals(mol: Chem.Mol) -> int:
    return sum(mol.GetAtomWithIdx(index).GetNumRadicalElectrons() for index in range(mol.GetNumAtoms()))
