"""Reaction templates turned round: from a product to the reactants that may have given it.

What a reactant gives to the product is in the product; what it loses is not. So a reactant comes in variants,
one for each group that it may have lost.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from rdkit import Chem
from rdkit.Chem import rdChemReactions

from fluvial.chem.smarts_atoms import AtomText, atom_text, bond_text
from fluvial.chem.synthesis.leaving import shown_by, side_of, spelled_out
from fluvial.chem.synthesis.reactions import Reaction
from fluvial.chem.synthesis.templates import MOST_PRODUCTS


class Reversal:
    """A template turned round once.

    Args:
        reaction: the template made ready.
        molecules: for each reactant, molecules of its kind, which show what it may lose.
    """

    def __init__(self, reaction: Reaction, molecules: Sequence[Iterable[Chem.Mol]]) -> None:
        self.pattern = product_pattern(reaction)
        """A query that each product matches; loose about aromaticity where the template makes a ring."""
        self._reverse = rdChemReactions.ChemicalReaction()
        self._reverse.AddReactantTemplate(self.pattern)
        self._n_written: list[int] = []
        self.n_variants: list[int] = []
        """How many of each reactant."""
        for pattern, own in zip(reaction.patterns, molecules, strict=True):
            variants = _variants(pattern, reaction.product, own)
            for variant in variants:
                self._reverse.AddProductTemplate(variant)
                self._n_written.append(variant.GetNumAtoms())
            self.n_variants.append(len(variants))
        self._reverse.Initialize(silent=True)

    def drafts(self, product: Chem.Mol) -> Iterator[list[tuple[Chem.Mol, ...]]]:
        """For each place where the reaction may have been, the variants of each reactant, not sanitised."""
        ends = list(itertools.accumulate(self.n_variants))
        for made in self._reverse.RunReactants((product,), maxProducts=MOST_PRODUCTS):
            for draft, n_written in zip(made, self._n_written, strict=True):
                _free_hydrogens(draft, n_written)
            yield [made[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _free_hydrogens(draft: Chem.Mol, n_written: int) -> None:
    """Let the atoms of the template, which come first, have the hydrogens that their bonds leave room for."""
    for index in range(n_written):
        atom = draft.GetAtomWithIdx(index)
        if not (atom.GetIsAromatic() and atom.GetAtomicNum() == 7):
            atom.SetNoImplicit(False)
            atom.SetNumExplicitHs(0)


def product_pattern(reaction: Reaction) -> Chem.Mol:
    """A query that every product of the reaction matches, with the map numbers of the template."""
    product = reaction.product
    given = {
        atom.GetAtomMapNum(): atom_text(atom)
        for pattern in reaction.patterns
        for atom in pattern.GetAtoms()
        if atom.GetAtomMapNum()
    }
    rings = _ring_bonds(product)
    in_rings = {atom for pair in rings for atom in pair}
    pattern = Chem.RWMol()
    for atom in product.GetAtoms():
        kept = given.get(atom.GetAtomMapNum())
        in_ring = atom.GetIdx() in in_rings
        text = _created_query(atom) if kept is None else _kept_query(atom, kept, in_ring)
        pattern.AddAtom(Chem.AtomFromSmarts(text))
    for bond in product.GetBonds():
        ends = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        pattern.AddBond(*ends, Chem.BondType.SINGLE)
        text = "~" if frozenset(ends) in rings else bond_text(bond) or "-,:"
        pattern.ReplaceBond(pattern.GetNumBonds() - 1, Chem.BondFromSmarts(text))
    return pattern.GetMol()


def _variants(pattern: Chem.Mol, product: Chem.Mol, molecules: Iterable[Chem.Mol]) -> list[Chem.Mol]:
    side = side_of(pattern, product)
    known: dict[str, Chem.Mol] = {}
    if side.lost:
        for mol in molecules:
            shown_by(side, mol, known)
    by_text = {Chem.MolToSmarts(variant): variant for variant in (*spelled_out(side), *known.values())}
    return [by_text[text] for text in sorted(by_text)]


def _kept_query(atom: Chem.Atom, given: AtomText, in_ring: bool) -> str:
    own = atom_text(atom)
    elements = own.elements if own.elements and given.elements is None else given.elements
    parts = [",".join(f"#{number}" for number in sorted(elements)) if elements else "*"]
    if not in_ring and own.is_aromatic is not None and own.is_aromatic == given.is_aromatic:
        parts.append("a" if own.is_aromatic else "A")
    if own.n_hydrogens is not None:
        parts.append(f"H{own.n_hydrogens}")
    return f"[{';'.join(parts)}:{atom.GetAtomMapNum()}]"


def _created_query(atom: Chem.Atom) -> str:
    """An atom that no reactant has: it has no bonds but those of the template."""
    elements = atom_text(atom).elements
    text = ",".join(f"#{number}" for number in sorted(elements)) if elements else "*"
    return f"[{text};D{atom.GetDegree()}]"


def _ring_bonds(product: Chem.Mol) -> set[frozenset[int]]:
    """Pairs of atoms whose bond is in a ring of the template."""
    copy = Chem.Mol(product)
    Chem.FastFindRings(copy)
    return {
        frozenset((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()))
        for bond in copy.GetBonds()
        if bond.IsInRing()
    }
