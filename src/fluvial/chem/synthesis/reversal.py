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
from fluvial.chem.synthesis.cuts import Pieces, SideCut, set_of, side_cut
from fluvial.chem.synthesis.leaving import shown_by, side_of, spelled_out
from fluvial.chem.synthesis.outline import KnownOutlines
from fluvial.chem.synthesis.reactions import Reaction
from fluvial.chem.synthesis.templates import MOST_PRODUCTS

Place = tuple[tuple[bool, ...], ...]
"""For each reactant, whether each of its variants may be a known molecule; False is certain."""


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
        self._cuts: list[SideCut] = []
        for pattern, own in zip(reaction.patterns, molecules, strict=True):
            variants = _variants(pattern, reaction.product, own)
            for variant in variants:
                self._reverse.AddProductTemplate(variant)
                self._n_written.append(variant.GetNumAtoms())
            self.n_variants.append(len(variants))
            self._cuts.append(side_cut(self.pattern, variants))
        self._reverse.Initialize(silent=True)

    def places(self, product: Chem.Mol, pieces: Pieces, known: KnownOutlines, all_known: bool) -> list[Place]:
        """Where in the product the reaction may have been, and what of it may be known there.

        Args:
            product: which.
            pieces: of its outline.
            known: the outlines of the known molecules.
            all_known: whether a place counts only where all reactants may be known, so that what comes after
                one that is not is left out.
        """
        matches = product.GetSubstructMatches(self.pattern, uniquify=False, maxMatches=MOST_PRODUCTS)
        if matches and 1 in pieces.outline.numbers:
            return [tuple((True,) * n for n in self.n_variants)] * len(matches)
        found = []
        for match in matches:
            matched, place = set_of(match), []
            for cut in self._cuts:
                place.append(cut.likely(pieces, match, matched, known))
                if all_known and not any(place[-1]):
                    break
            found.append(tuple(place))
        return found

    def drafts(self, product: Chem.Mol, chosen: Iterable[int]) -> Iterator[list[tuple[Chem.Mol, ...]]]:
        """For each of the chosen among its places, the variants of each reactant, not sanitised."""
        ends = list(itertools.accumulate(self.n_variants))
        drafts = self._reverse.RunReactants((product,), maxProducts=MOST_PRODUCTS)
        for made in map(drafts.__getitem__, chosen):
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
    shown = shown_by(side, molecules) if side.lost else []
    by_text = {Chem.MolToSmarts(variant): variant for variant in (*spelled_out(side), *shown)}
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
