"""All distinct reactant queries of a set of templates, asked at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import rdSubstructLibrary

from fluvial.chem.screen import Screen
from fluvial.chem.synthesis.reactions import Reaction


class Patterns:
    """The P distinct queries among the reactants of R templates, and which of them each reactant is.

    Templates share many: 105 published ones have 197 reactants and 124 queries.

    Args:
        reactions: R templates made ready.
    """

    def __init__(self, reactions: Sequence[Reaction]) -> None:
        number: dict[str, int] = {}
        self.queries: list[Chem.Mol] = []
        """The P queries."""
        self.of_reactant: NDArray[np.int64] = np.full((2, len(reactions)), -1, np.int64)
        """int64 [2, R], the query of reactant p of template r; -1 where there is no such reactant."""
        for column, reaction in enumerate(reactions):
            for position, query in enumerate(reaction.patterns):
                text = Chem.MolToSmarts(query)
                if text not in number:
                    number[text] = len(number)
                    self.queries.append(query)
                self.of_reactant[position, column] = number[text]
        self._screen = Screen(self.queries)

    def matches(self, mol: Chem.Mol) -> NDArray[np.bool_]:
        """bool [P], whether a molecule has each query as a part."""
        found = np.zeros(len(self.queries), bool)
        found[
            [query for query in self._screen.possible(mol) if mol.HasSubstructMatch(self.queries[query])]
        ] = True
        return found

    def matches_of_many(self, mols: Sequence[Chem.Mol]) -> NDArray[np.bool_]:
        """bool [N, P], as `matches` for each molecule; faster for many, by fingerprints of substructures."""
        found = np.zeros((len(mols), len(self.queries)), bool)
        if not mols:
            return found
        with rdBase.BlockLogs():
            library = rdSubstructLibrary.SubstructLibrary(
                rdSubstructLibrary.MolHolder(), rdSubstructLibrary.PatternHolder()
            )
            for mol in mols:
                library.AddMol(mol)
            for column, query in enumerate(self.queries):
                rows = library.GetMatches(query, numThreads=1, maxResults=len(mols))
                found[list(rows), column] = True
        return found
