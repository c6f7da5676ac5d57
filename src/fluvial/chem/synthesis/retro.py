"""All reactions of a library that make a molecule: its disconnections, each checked by running it forward."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from rdkit import Chem, rdBase

from fluvial.chem.molecules import parse_smiles
from fluvial.chem.synthesis.composition import composition_key, composition_keys
from fluvial.chem.synthesis.library import BlockLibrary
from fluvial.chem.synthesis.reactions import finished
from fluvial.chem.synthesis.reversal import Reversal

MOST_EXAMPLES = 500
"""Blocks of one kind that are asked what they lose in a reaction; arbitrary: they are of a few kinds."""
MOST_REMEMBERED = 200_000
"""Molecules whose disconnections are kept; arbitrary, some 100 MB."""


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
            Reversal(one, self._examples(number, mol_of)) for number, one in enumerate(self.reactions)
        ]
        self._compositions = set(composition_keys(library.smiles).tolist())
        self.of = lru_cache(MOST_REMEMBERED)(self._of)
        """The disconnections of a molecule by its canonical SMILES, sorted.

        They are all pairs of a template and its reactants that have the molecule among their products, where
        one of two reactants at least is a block. A group that a reactant loses is found if the template
        spells it out or if one of the first 500 fitting blocks loses it too.
        """

    def _examples(self, number: int, mol_of: Callable[[str], Chem.Mol]) -> list[list[Chem.Mol]]:
        n_reactants = self.reactions[number].template.n_reactants
        return [
            [
                mol_of(self.library.smiles[block])
                for block in self.library.blocks_for(number, position)[:MOST_EXAMPLES]
            ]
            for position in range(n_reactants)
        ]

    def _of(self, smiles: str) -> tuple[Disconnection, ...]:
        mol = parse_smiles(smiles)
        found = set()
        with rdBase.BlockLogs():
            for number, reversal in enumerate(self._reversals):
                if mol.HasSubstructMatch(reversal.pattern):
                    for reactants in set(self._candidates(reversal, mol)):
                        if self._makes(number, reactants, smiles):
                            found.add(Disconnection(number, reactants))
        return tuple(sorted(found))

    def _candidates(self, reversal: Reversal, mol: Chem.Mol) -> Iterator[tuple[str, ...]]:
        seen: set[str] = set()
        for drafts in reversal.drafts(mol):
            if len(drafts) == 1:
                yield from ((text,) for draft in drafts[0] if (text := finished(draft, seen)))
                continue
            first, second = (self._blocks(side) for side in drafts)
            if first:
                yield from itertools.product(first, _texts(drafts[1]))
            if second:
                yield from itertools.product(_texts(drafts[0]), second)

    def _blocks(self, drafts: Iterable[Chem.Mol]) -> list[str]:
        """Those of the drafts that are blocks."""
        likely = [draft for draft in drafts if composition_key(draft) in self._compositions]
        return [text for text in _texts(likely) if self.library.find(text) is not None]

    def _makes(self, number: int, reactants: tuple[str, ...], smiles: str) -> bool:
        mols = [Chem.MolFromSmiles(text) for text in reactants]
        return smiles in self.reactions[number].products(*mols)


def _texts(drafts: Iterable[Chem.Mol]) -> list[str]:
    """Canonical SMILES of copies of the drafts that are molecules."""
    return [text for draft in drafts if (text := finished(Chem.Mol(draft), set()))]
