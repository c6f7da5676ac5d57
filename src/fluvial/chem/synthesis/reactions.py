"""Reaction templates made ready to run on molecules."""

from __future__ import annotations

from collections.abc import Sequence

from rdkit import Chem, rdBase
from rdkit.Chem import rdChemReactions

from fluvial.chem.molecules import canonical_smiles
from fluvial.chem.synthesis.templates import MOST_PRODUCTS, Template


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
        found: set[str] = set()
        seen: set[str] = set()
        with rdBase.BlockLogs():
            for (draft,) in self._reaction.RunReactants(reactants, maxProducts=MOST_PRODUCTS):
                text = finished(draft, seen, reactants)
                if text:
                    found.add(text)
        return tuple(sorted(found))


def finished(draft: Chem.Mol, seen: set[str], reactants: Sequence[Chem.Mol] = ()) -> str:
    """The canonical SMILES of an unsanitised product; empty where it is no molecule or its text was seen.

    The text is read once more, because what RDKit writes first may depend on the way the product was made.

    Args:
        draft: changed in place.
        seen: first texts of earlier products, extended in place.
        reactants: whose unpaired electrons it may have.
    """
    text = first_text(draft)
    if not text or text in seen:
        return ""
    seen.add(text)
    mol = Chem.MolFromSmiles(text)
    if mol is None or ("[" in text and _n_radicals(mol) > sum(map(_n_radicals, reactants))):
        return ""
    return canonical_smiles(mol)


def first_text(draft: Chem.Mol) -> str:
    """The SMILES of an unsanitised product, which it sanitises; empty where it is not one molecule."""
    if Chem.SanitizeMol(draft, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
        return ""
    text = canonical_smiles(draft)
    return "" if "." in text else text


def reactions_of(templates: Sequence[Template]) -> tuple[Reaction, ...]:
    """The templates made ready, in their order."""
    return tuple(Reaction(template) for template in templates)


def _n_radicals(mol: Chem.Mol) -> int:
    return sum(mol.GetAtomWithIdx(index).GetNumRadicalElectrons() for index in range(mol.GetNumAtoms()))
