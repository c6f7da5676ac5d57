"""What the reactants of a reaction would be, told from the product alone, before any is made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from rdkit import Chem

from fluvial.chem.synthesis.composition import BITS_64, element_weight
from fluvial.chem.synthesis.outline import KnownOutlines, Outline, atom_weight, outline_of


@dataclass(frozen=True)
class Variant:
    """What one written form of a reactant adds to the atoms that it has of the product."""

    degrees: tuple[int, ...]
    """Heavy neighbours, within the template, of each atom that the product keeps."""
    elements: int
    shape: int
    """Of the atoms that the product has not: their part of the two numbers of a key."""


class Pieces:
    """What is left of a product beside the atoms that a template takes; remembers what it was asked.

    Args:
        outline: of the product, without atoms of hydrogen.
    """

    def __init__(self, outline: Outline) -> None:
        self.outline = outline
        self.weights = [element_weight(number) for number in outline.numbers]
        """What each atom adds to the first number of a key."""
        self.beside = lru_cache(maxsize=None)(self._beside)
        self.shape = lru_cache(maxsize=None)(self._shape)
        """What the atoms in the first of two sets, with their bonds to each other and to those in the second,
        add to the second number of a key."""

    def _beside(self, own: int, matched: int) -> tuple[int, int]:
        """The atoms that paths outside of the template join to its atoms of one reactant, as a set, and what
        they add to the first number of a key.

        Args:
            own: set of the template's atoms that the reactant gives.
            matched: set of all of the template's atoms.
        """
        neighbours, weights = self.outline.neighbours, self.weights
        body, front, elements = 0, own, 0
        while front:
            low = front & -front
            atom = low.bit_length() - 1
            near = neighbours[atom] & ~(matched | body)
            body |= near
            front = front ^ low | near
            if not low & own:
                elements += weights[atom]
        return body, elements

    def _shape(self, place: tuple[int, int]) -> int:
        numbers, neighbours = self.outline.numbers, self.outline.neighbours
        body, own = place
        whole = body | own
        return sum(
            atom_weight(numbers[atom], (neighbours[atom] & whole).bit_count()) for atom in atoms_of(body)
        )


@dataclass(frozen=True)
class SideCut:
    """One reactant: the atoms of the product's pattern that it gives, and the forms in which it can come."""

    kept: tuple[int, ...]
    variants: tuple[Variant, ...]

    def likely(
        self, pieces: Pieces, match: Sequence[int], matched: int, known: KnownOutlines
    ) -> tuple[bool, ...]:
        """Whether the reactant in each of its forms may be a known molecule; False is certain.

        Args:
            pieces: of the product.
            match: where the pattern's atoms are in it.
            matched: the same as a set.
            known: the outlines of the known molecules.
        """
        kept = [match[index] for index in self.kept]
        own = set_of(kept)
        body, elements = pieces.beside(own, matched)
        elements += sum(map(pieces.weights.__getitem__, kept))
        return tuple(
            known.may_have(
                (elements + variant.elements) & BITS_64,
                partial(_shape, pieces, kept, (body, own), variant),
            )
            for variant in self.variants
        )


def _shape(pieces: Pieces, kept: Sequence[int], place: tuple[int, int], variant: Variant) -> int:
    """The second number of the key of a reactant."""
    numbers, neighbours = pieces.outline.numbers, pieces.outline.neighbours
    body, _ = place
    ends = sum(
        atom_weight(numbers[atom], degree + (neighbours[atom] & body).bit_count())
        for atom, degree in zip(kept, variant.degrees, strict=True)
    )
    return (pieces.shape(place) + ends + variant.shape) & BITS_64


def side_cut(pattern: Chem.Mol, variants: Sequence[Chem.Mol]) -> SideCut:
    """The cut by which a product that matches the pattern falls into this reactant, in one of its forms.

    Args:
        pattern: of the product, with map numbers.
        variants: the reactant's forms; atoms with map numbers are those of the product.
    """
    place = {atom.GetAtomMapNum(): atom.GetIdx() for atom in pattern.GetAtoms() if atom.GetAtomMapNum()}
    marks = sorted({atom.GetAtomMapNum() for one in variants[:1] for atom in one.GetAtoms()} - {0})
    return SideCut(tuple(place[mark] for mark in marks), tuple(_variant(one, marks) for one in variants))


def _variant(mol: Chem.Mol, marks: Sequence[int]) -> Variant:
    outline = outline_of(mol)
    at = {mol.GetAtomWithIdx(index).GetAtomMapNum(): index for index in range(mol.GetNumAtoms())}
    lost = [
        (outline.numbers[index], outline.neighbours[index].bit_count())
        for index in range(mol.GetNumAtoms())
        if mol.GetAtomWithIdx(index).GetAtomMapNum() == 0 and outline.numbers[index] != 1
    ]
    return Variant(
        tuple(outline.neighbours[at[mark]].bit_count() for mark in marks),
        sum(element_weight(number) for number, _ in lost),
        sum(atom_weight(*one) for one in lost),
    )


def set_of(atoms: Iterable[int]) -> int:
    """Atoms as a mask of bits."""
    mask = 0
    for atom in atoms:
        mask |= 1 << atom
    return mask


def atoms_of(mask: int) -> Iterator[int]:
    """The atoms of a mask of bits."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
