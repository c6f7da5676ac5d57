"""Reactions and blocks in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import rdChemReactions

from fluvial.assets.registry import fetch
from fluvial.core.enumeration import enumerate_states, labelled_identity
from fluvial.envs.synthesis.environment import Syntheses


@dataclass(frozen=True)
class Template:
    smarts: str
    n_reactants: int


class Reaction:
    def __init__(self, smarts: str) -> None:
        self._reaction = rdChemReactions.ReactionFromSmarts(smarts)
        self._reaction.Initialize()
        self.template = Template(smarts, self._reaction.GetNumReactantTemplates())

    def matches(self, molecule: Chem.Mol, position: int) -> bool:
        return molecule.HasSubstructMatch(self._reaction.GetReactantTemplate(position))

    def products(self, *reactants: Chem.Mol) -> tuple[str, ...]:
        found = set()
        with rdBase.BlockLogs():
            for product, *_ in self._reaction.RunReactants(reactants):
                try:
                    Chem.SanitizeMol(product)
                except Exception:
                    continue
                again = Chem.MolFromSmiles(Chem.MolToSmiles(product))
                if again is not None:
                    found.add(Chem.MolToSmiles(again))
        return tuple(sorted(text for text in found if "." not in text))


class Library:
    def __init__(self, smiles: Sequence[str], smirks: Sequence[str]) -> None:
        self.smiles = tuple(sorted(Chem.CanonSmiles(text) for text in smiles))
        self.reactions = tuple(Reaction(line) for line in smirks)
        self._mols = [Chem.MolFromSmiles(text) for text in self.smiles]

    def blocks_for(self, template: int, position: int) -> np.ndarray:
        matches = [self.reactions[template].matches(mol, position) for mol in self._mols]
        return np.flatnonzero(matches)


BLOCKS = (
    "NCc1ccccc1",
    "O=C(O)c1ccc(Br)cc1",
    "OB(O)c1ccccc1",
    "O=Cc1ccccc1",
    "CC(=O)O",
    "O=C(O)CCN",
    "NN",
    "Nc1ccccc1",
    "Clc1ccncc1",
    "C#CCO",
    "CCBr",
    "O=C1CCNCC1",
)


def hartenfeller_button(blocks: Sequence[str] = BLOCKS) -> Library:
    """105 published templates."""
    lines = fetch("hartenfeller-button").read_text().splitlines()
    return Library(blocks, [line for line in lines if line.strip()])


def objects(env: Syntheses) -> list[str]:
    graph = enumerate_states(env, identity=labelled_identity)
    return env.decode(graph.states[graph.is_terminal])
