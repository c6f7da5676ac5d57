"""All reactions of a library that make a molecule: its disconnections, each checked by running it forward."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

from rdkit import Chem, rdBase

from fluvial.chem.molecules import parse_smiles
from fluvial.chem.screen import Screen
from fluvial.chem.synthesis.cuts import Pieces
from fluvial.chem.synthesis.library import BlockLibrary
from fluvial.chem.synthesis.outline import KnownOutlines, outline_of
from fluvial.chem.synthesis.reactions import first_text, read_again
from fluvial.chem.synthesis.reversal import Reversal

MOST_EXAMPLES = 500
"""Blocks of one kind that are asked what they lose in a reaction; arbitrary: they are of a few kinds."""
MOST_REMEMBERED = 200_000
"""Molecules whose disconnections are kept; arbitrary, some 100 MB."""

MOST_PARSED = 10_000
"""Reactants kept as objects of RDKit, some kB each; arbitrary."""
MOST_TEXTS = 100_000
"""Texts of reactants that are read again only once, about 200 bytes each; arbitrary."""
MOST_RUN = 50_000
"""Reactions whose products are remembered, about 500 bytes each; arbitrary."""


@dataclass(frozen=True, order=True)
class Disconnection:
    """One reaction that makes a molecule."""

    template: int
    """Its number in the library."""
    reactants: tuple[str, ...]
    """Canonical SMILES in the order of the template."""


class Disconnections:
    """What makes a molecule, for one library; remembers what it was asked. Not for several threads at once.

    Args:
        library: its blocks and templates.
    """

    def __init__(self, library: BlockLibrary) -> None:
        self.library = library
        self.reactions = library.reactions
        mol_of = lru_cache(None)(Chem.MolFromSmiles)
        self._reversals = [
            Reversal(
                one, [self._examples(number, place, mol_of) for place in range(one.template.n_reactants)]
            )
            for number, one in enumerate(self.reactions)
        ]
        self._screen = Screen([reversal.pattern for reversal in self._reversals])
        self._known = KnownOutlines(library.smiles)
        self._mol = lru_cache(MOST_PARSED)(Chem.MolFromSmiles)
        self._text = lru_cache(MOST_TEXTS)(lambda first: read_again(first)[0])
        self.products = lru_cache(MOST_RUN)(self._products)
        """Canonical SMILES of all products of a template's number and its reactants, sorted."""
        self.of = lru_cache(MOST_REMEMBERED)(partial(self._of, all_blocks=False))
        """The disconnections of a molecule by its canonical SMILES, sorted.

        They are all pairs of a template and its reactants that have the molecule among their products, where
        one of two reactants at least is a block. A group that a reactant loses is found if the template
        spells it out or if one of the first 500 fitting blocks loses it too.
        """
        self.into_blocks = lru_cache(MOST_REMEMBERED)(partial(self._of, all_blocks=True))
        """Those of them whose reactants are all blocks; found sooner."""

    def _examples(self, number: int, position: int, mol_of: Callable[[str], Chem.Mol]) -> Iterator[Chem.Mol]:
        for block in self.library.blocks_for(number, position)[:MOST_EXAMPLES]:
            yield mol_of(self.library.smiles[block])

    def _of(self, smiles: str, all_blocks: bool) -> tuple[Disconnection, ...]:
        mol = parse_smiles(smiles)
        pieces, found = Pieces(outline_of(mol)), set()
        with rdBase.BlockLogs():
            for number in self._screen.possible(mol):
                reversal = self._reversals[number]
                for reactants in set(self._candidates(reversal, mol, pieces, all_blocks)):
                    if smiles in self.products(number, reactants):
                        found.add(Disconnection(number, reactants))
        return tuple(sorted(found))

    def _candidates(
        self, reversal: Reversal, mol: Chem.Mol, pieces: Pieces, all_blocks: bool
    ) -> Iterator[tuple[str, ...]]:
        places = reversal.places(mol, pieces, self._known, all_blocks)
        least = len(reversal.n_variants) - (0 if all_blocks else 1)
        chosen = [number for number, place in enumerate(places) if sum(map(any, place)) >= least]
        if not chosen:
            return
        for number, drafts in zip(chosen, reversal.drafts(mol, chosen), strict=True):
            if all_blocks:
                yield from itertools.product(*map(self._blocks, drafts, places[number]))
            elif len(drafts) == 1:
                yield from ((text,) for text in self._texts(drafts[0]))
            else:
                first, second = map(self._blocks, drafts, places[number])
                if first:
                    yield from itertools.product(first, self._texts(drafts[1]))
                if second:
                    yield from itertools.product(self._texts(drafts[0]), second)

    def _blocks(self, drafts: Iterable[Chem.Mol], are_likely: Iterable[bool]) -> list[str]:
        """Those of the drafts that are blocks."""
        likely = itertools.compress(drafts, are_likely)
        return [text for text in self._texts(likely) if self.library.find(text) is not None]

    def _texts(self, drafts: Iterable[Chem.Mol]) -> list[str]:
        """Canonical SMILES of copies of the drafts that are molecules."""
        firsts = (first_text(Chem.Mol(draft)) for draft in drafts)
        return [text for first in firsts if first and (text := self._text(first))]

    def _products(self, number: int, reactants: tuple[str, ...]) -> tuple[str, ...]:
        return self.reactions[number].products(*map(self._mol, reactants))
